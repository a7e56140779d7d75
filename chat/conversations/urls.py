"""Paths of conversations: two pages and their JSON."""

from django.urls import path

from chat.conversations import api, views

urlpatterns = [
    path("", views.home, name="home"),
    path("c/<uuid:pk>/", views.conversation, name="conversation"),
    path("api/conversations/", api.conversations),
    path("api/conversations/bulk/", api.bulk),
    path("api/conversations/<uuid:pk>/", api.conversation),
    path("api/conversations/<uuid:pk>/messages/", api.messages),
    path("api/conversations/<uuid:pk>/leaf/", api.leaf),
    path("api/messages/<uuid:pk>/", api.message),
    path("api/folders/", api.folders),
    path("api/folders/<uuid:pk>/", api.folder),
]
