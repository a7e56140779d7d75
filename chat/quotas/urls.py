from django.urls import path

from chat.quotas import api

urlpatterns = [path("api/usage/", api.usage, name="usage")]
