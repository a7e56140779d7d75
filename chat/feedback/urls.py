from django.urls import path

from chat.feedback import api

urlpatterns = [path("api/messages/<uuid:pk>/feedback/", api.feedback, name="feedback")]
