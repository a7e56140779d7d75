"""What a person decides about the answers: personas, instructions, and what a conversation has of them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from chat.conversations.models import Conversation

PERSONA_CHARS = 4000
INSTRUCTION_CHARS = 1500
PROMPT_CHARS = 8000


class Persona(models.Model):
    """A system prompt with a name. Without an owner it is one of the site's, for readers of its language."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="personas"
    )
    language = models.CharField(
        _("language"), max_length=8, blank=True, help_text=_("Empty: offered in every language.")
    )
    name = models.CharField(_("name"), max_length=60)
    prompt = models.TextField(_("what the model is told"), max_length=PERSONA_CHARS)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        ordering = ["created_at", "name"]

    def __str__(self) -> str:
        return self.name


class Instructions(models.Model):
    """What the model is told of a person in all their conversations."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="instructions"
    )
    about = models.TextField(_("about the person"), max_length=INSTRUCTION_CHARS, blank=True)
    manner = models.TextField(_("how to answer"), max_length=INSTRUCTION_CHARS, blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("instructions")
        verbose_name_plural = _("instructions")

    def __str__(self) -> str:
        return str(self.pk)


class Prompt(models.Model):
    """A text to ask with, kept under a name; {{words}} in it are asked for when it is used."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="prompts")
    name = models.CharField(_("name"), max_length=60)
    text = models.TextField(_("text"), max_length=PROMPT_CHARS)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("prompt")
        verbose_name_plural = _("prompts")
        ordering = ["name", "created_at"]

    def __str__(self) -> str:
        return self.name


class Manner(models.Model):
    """How the model answers in one conversation; no row: as always."""

    conversation = models.OneToOneField(Conversation, models.CASCADE, primary_key=True, related_name="manner")
    persona = models.ForeignKey(Persona, models.SET_NULL, null=True, blank=True, related_name="+")
    settings = models.JSONField(
        default=dict
    )  # by name, those that differ from always: chat/voice/sampling.py

    class Meta:
        verbose_name = _("manner of answering")
        verbose_name_plural = _("manners of answering")

    def __str__(self) -> str:
        return str(self.pk)
