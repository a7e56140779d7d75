from django.urls import path

from chat.accounts import views

urlpatterns = [
    path("settings/", views.settings_page, name="settings"),
    path("settings/appearance/", views.appearance, name="appearance"),
    path("api/profile/", views.profile, name="profile"),
    # Before django.conf.urls.i18n in grokweb/urls.py: the same address, but the profile remembers.
    path("i18n/setlang/", views.set_language, name="set_language"),
]
