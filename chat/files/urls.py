from django.urls import path

from chat.files import api

urlpatterns = [
    path("api/files/", api.files),
    path("api/files/<uuid:pk>/", api.file),
    path("api/files/<uuid:pk>/text/", api.text),
    path("api/files/<uuid:pk>/encoding/", api.encoding),
    path("api/files/<uuid:pk>/image/", api.image, name="file_image"),
    path("api/files/<uuid:pk>/original/", api.original, name="file_original"),
]
