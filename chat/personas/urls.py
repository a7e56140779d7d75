from django.urls import path

from chat.personas import api
from chat.personas.views import PERSONA, PROMPT, delete_entry, edit_entry, new_chats, page

urlpatterns = [
    path("settings/answers/", page, name="personas"),
    path("settings/answers/new-chats/", new_chats, name="new_chats"),
    path("settings/answers/personas/new/", edit_entry, {"kind": PERSONA}, name="new_persona"),
    path("settings/answers/personas/<uuid:pk>/", edit_entry, {"kind": PERSONA}, name="persona"),
    path(
        "settings/answers/personas/<uuid:pk>/delete/", delete_entry, {"kind": PERSONA}, name="delete_persona"
    ),
    path("settings/answers/prompts/new/", edit_entry, {"kind": PROMPT}, name="new_prompt"),
    path("settings/answers/prompts/<uuid:pk>/", edit_entry, {"kind": PROMPT}, name="prompt"),
    path("settings/answers/prompts/<uuid:pk>/delete/", delete_entry, {"kind": PROMPT}, name="delete_prompt"),
    path("api/prompts/", api.prompts),
    path("api/conversations/<uuid:pk>/settings/", api.conversation_settings),
]
