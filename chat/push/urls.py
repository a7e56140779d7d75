from django.urls import path

from chat.push import api

urlpatterns = [path("api/push/", api.this_browser, name="push")]
