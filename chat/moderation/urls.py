from django.urls import path

from chat.moderation import api

urlpatterns = [path("api/reports/", api.reports, name="reports")]
