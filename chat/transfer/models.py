"""Records what was imported, so that the same file read again makes no second copy."""

from __future__ import annotations

from django.db import models

from chat.conversations.models import Conversation


class Imported(models.Model):
    conversation = models.OneToOneField(
        Conversation, models.CASCADE, primary_key=True, related_name="imported"
    )
    digest = models.CharField(max_length=64, db_index=True)  # of the content of the file (store.digest_of)

    def __str__(self) -> str:
        return f"imported {self.conversation_id}"
