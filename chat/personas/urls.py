from django.urls import path

from chat.personas import api, views

urlpatterns = [
    path("settings/answers/", views.page, name="personas"),
    path("settings/answers/personas/new/", views.persona, name="new_persona"),
    path("settings/answers/personas/<uuid:pk>/", views.persona, name="persona"),
    path("settings/answers/personas/<uuid:pk>/delete/", views.delete_persona, name="delete_persona"),
    path("settings/answers/prompts/new/", views.prompt, name="new_prompt"),
    path("settings/answers/prompts/<uuid:pk>/", views.prompt, name="prompt"),
    path("settings/answers/prompts/<uuid:pk>/delete/", views.delete_prompt, name="delete_prompt"),
    path("api/prompts/", api.prompts),
    path("api/conversations/<uuid:pk>/settings/", api.conversation_settings),
]
