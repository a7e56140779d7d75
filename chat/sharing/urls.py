"""Paths of shared pages, and of the owner's links to them."""

from django.urls import path

from chat.sharing import api, views

urlpatterns = [
    path("s/<slug:token>/", views.shared, name="shared"),
    path("s/<slug:token>/open/", views.answer, name="answer_shared"),
    path("s/<slug:token>/images/<int:number>/<uuid:pk>/", views.image, name="shared_image"),
    path("s/<slug:token>/report/", views.report, name="report_shared"),
    path("api/conversations/<uuid:pk>/share/", api.shares),
    path("api/conversations/<uuid:pk>/share/<slug:token>/", api.share),
]
