from django.urls import path
from django.views.generic import RedirectView

from chat.accounts import views

urlpatterns = [
    path("settings/", views.settings_page, name="settings"),
    path("settings/appearance/", views.appearance, name="appearance"),
    path("settings/sessions/<int:pk>/end/", views.end_session, name="end_session"),
    path("settings/sessions/end-others/", views.end_other_sessions, name="end_other_sessions"),
    # Before allauth.urls in grokweb/urls.py: its list of sessions is a section of the settings page.
    path("accounts/sessions/", RedirectView.as_view(url="/settings/#sessions")),
    path("api/profile/", views.profile, name="profile"),
    # Before django.conf.urls.i18n in grokweb/urls.py: the same address, but this also updates the profile.
    path("i18n/setlang/", views.set_language, name="set_language"),
]
