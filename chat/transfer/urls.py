"""Paths of exports and imports."""

from django.urls import path

from chat.transfer import api, views

urlpatterns = [
    path("c/<uuid:pk>/print/", views.printed, name="print"),
    path("api/conversations/<uuid:pk>/export/", api.export_one),
    path("api/export/", api.export_all, name="export_all"),
    path("api/import/", api.import_file, name="import"),
]
