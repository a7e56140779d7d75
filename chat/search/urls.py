from django.urls import path

from chat.search import api

urlpatterns = [path("api/search/", api.search)]
