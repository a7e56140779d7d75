"""Addresses of deletions that cannot be undone; each is a page that asks first."""

from django.urls import path
from django.views.generic import RedirectView

from chat.account_deletion import views

urlpatterns = [
    path("settings/delete-conversations/", views.delete_conversations, name="delete_conversations"),
    path("settings/delete-account/", views.delete_account, name="delete_account"),
    # The address that releases before 0.2 gave to that page.
    path("settings/leave/", RedirectView.as_view(pattern_name="delete_account", permanent=True)),
]
