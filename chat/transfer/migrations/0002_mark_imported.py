"""Answers that were imported before their origin was stored: those that no generation made, and what was
continued from them. Which service they came from is not known any more.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

A_FILE = "file"  # chat/conversations/origins.py


def mark(apps: Any, schema_editor: Any) -> None:
    Message = apps.get_model("conversations", "Message")
    Generation = apps.get_model("turns", "Generation")
    answers = Message.objects.filter(role="assistant", source="")
    answers.filter(generation=None).exclude(status="live").update(source=A_FILE)
    # The oldest first: an answer may continue one that continues an imported one.
    continued = Generation.objects.filter(parameters__said__gt=0).order_by("created_at")
    for generation in continued.select_related("message").only("parameters", "message").iterator():
        message = generation.message
        begun = message.text[: generation.parameters["said"]]
        beside = Message.objects.filter(parent=message.parent_id, conversation=message.conversation_id)
        if begun and beside.filter(source=A_FILE, text=begun).exists():
            Message.objects.filter(pk=message.pk).update(source=A_FILE)


def unmark(apps: Any, schema_editor: Any) -> None:
    """The column goes with the migration before; nothing else is lost."""


class Migration(migrations.Migration):
    dependencies = [
        ("transfer", "0001_what_came_in"),
        ("conversations", "0004_message_origin"),
        ("turns", "0002_reply_times"),
    ]

    operations = [migrations.RunPython(mark, unmark)]
