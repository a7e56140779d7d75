from django.urls import path

from chat.turns import api

urlpatterns = [
    path("api/models/", api.models, name="models"),
    path("api/messages/<uuid:pk>/details/", api.details, name="details"),
    path("api/messages/<uuid:pk>/prompt/", api.prompt),
    path("api/messages/<uuid:pk>/summary/", api.summary),
    path("api/messages/<uuid:pk>/edits/", api.edits),
    path("api/messages/<uuid:pk>/pin/", api.pin),
    path("api/conversations/<uuid:pk>/context/", api.context),
]
