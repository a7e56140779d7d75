"""URLs of the site; each app brings its own paths."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.gzip import gzip_page
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

from chat.core import frames, pwa
from chat.core import views as core
from chat.staff import images, trials
from chat.staff import views as staff
from grokweb import health
from grokweb.first_setup import views as setup

# Pages of the admin that had another address in earlier releases: people bookmark them.
MOVED_ADMIN_PAGES = {
    "conversations/modelcard": "model_cards/modelcard",
    "voice/persona": "personas/persona",
}

urlpatterns = [
    path("", include("chat.conversations.urls")),
    path("", include("chat.search.urls")),
    path("", include("chat.sharing.urls")),
    path("", include("chat.transfer.urls")),
    path("", include("chat.account_deletion.urls")),
    path("", include("chat.moderation.urls")),
    path("", include("chat.feedback.urls")),
    path("", include("chat.files.urls")),
    path("", include("chat.personas.urls")),
    path("", include("chat.turns.urls")),
    path("", include("chat.quotas.urls")),
    path("", include("chat.push.urls")),
    path("", include("chat.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/models/<slug:slug>/trial/", trials.trial, name="model-trial"),
    path("admin/setup/", admin.site.admin_view(setup.setup_page), name="setup"),
    path("admin/setup/state/", admin.site.admin_view(setup.setup_state), name="setup-state"),
    path("admin/images/<uuid:pk>/", admin.site.admin_view(images.image), name="staff_image"),
    path(
        "admin/shared-images/<uuid:share>/<int:number>/<uuid:pk>/",
        admin.site.admin_view(images.shared_image),
        name="staff_shared_image",
    ),
    path("admin/engine/", admin.site.admin_view(staff.engine_page), name="engine"),
    *(
        re_path(
            rf"^admin/{old}/(?P<rest>.*)$",
            RedirectView.as_view(url=f"/admin/{new}/%(rest)s", query_string=True),
        )
        for old, new in MOVED_ADMIN_PAGES.items()
    ),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("jsi18n/", gzip_page(JavaScriptCatalog.as_view(packages=["grokweb"])), name="javascript-catalog"),
    path("robots.txt", core.robots),
    path("manifest.webmanifest", pwa.manifest, name="manifest"),
    path("worker.js", pwa.worker),
    path("offline/<slug:language>/", pwa.offline),
    path("frame/preview/", frames.preview),
    path("frame/diagram/", frames.diagram),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
handler404 = "chat.core.views.not_found"
handler403 = "chat.core.views.forbidden"
handler500 = "chat.core.views.broken"
