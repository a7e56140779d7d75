"""Records what was imported, so that the same file read again makes no second copy, and the calls of tools
that imported answers have."""

from __future__ import annotations

from django.db import models

from chat.conversations.models import Conversation, Message
from chat.turns.models import CallStatus


class Imported(models.Model):
    conversation = models.OneToOneField(
        Conversation, models.CASCADE, primary_key=True, related_name="imported"
    )
    digest = models.CharField(max_length=64, db_index=True)  # of the content of the file (store.digest_of)

    def __str__(self) -> str:
        return f"imported {self.conversation_id}"


class ImportedCall(models.Model):
    """A call of a tool in an imported answer. It has ended, in another place: nothing here runs it."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="imported_calls")
    step = models.PositiveSmallIntegerField()
    position = models.PositiveSmallIntegerField()  # in the step
    name = models.CharField(max_length=64)
    arguments = models.TextField()
    status = models.CharField(max_length=10, choices=CallStatus.choices)
    error = models.CharField(max_length=32, blank=True)
    result = models.TextField(blank=True)

    class Meta:
        ordering = ["step", "position"]

    def __str__(self) -> str:
        return f"{self.name} of {self.message_id}"
