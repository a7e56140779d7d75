"""Paths of what cannot be undone; each is a page that asks first."""

from django.urls import path

from chat.leaving import views

urlpatterns = [
    path("settings/delete-conversations/", views.delete_conversations, name="delete_conversations"),
    path("settings/leave/", views.leave, name="leave"),
]
