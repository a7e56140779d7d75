"""Texts and settings that shape the model's answers: personas, custom instructions, saved prompts."""

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
    """A system prompt with a name. Without an owner it is the site's, offered to readers of its language."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="personas"
    )
    language = models.CharField(
        _("language"), max_length=8, blank=True, help_text=_("Empty: offered in every language.")
    )
    name = models.CharField(_("name"), max_length=60)
    prompt = models.TextField(_("what the model is told"), max_length=PERSONA_CHARS)
    default_of = models.ManyToManyField(
        "model_cards.ModelCard",
        blank=True,
        related_name="+",
        verbose_name=_("default of models"),
        help_text=_("New chats with these models begin with this persona, where the person chose none."),
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        ordering = ["created_at", "name"]

    def __str__(self) -> str:
        return self.name


class CustomInstructions(models.Model):
    """A user's instructions to the model, added to the system message of all their conversations."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="custom_instructions"
    )
    about = models.TextField(_("about the person"), max_length=INSTRUCTION_CHARS, blank=True)
    style = models.TextField(_("how to answer"), max_length=INSTRUCTION_CHARS, blank=True)
    active = models.BooleanField(_("active"), default=True)
    # Long conversations are summarised by models with enough context (chat/turns/summary_asking.py).
    compact = models.BooleanField(_("summarise long conversations"), default=True)

    class Meta:
        verbose_name = _("custom instructions")
        verbose_name_plural = _("custom instructions")

    def __str__(self) -> str:
        return str(self.pk)


class PreferredPersona(models.Model):
    """The persona that a person chose for their new chats. Without a row, they have none."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preferred_persona"
    )
    persona = models.ForeignKey(Persona, models.CASCADE, related_name="+")

    class Meta:
        verbose_name = _("preferred persona")
        verbose_name_plural = _("preferred personas")

    def __str__(self) -> str:
        return str(self.pk)


class SavedPrompt(models.Model):
    """A message text that its owner saved under a name. The page asks for its {{variables}} at each use."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_prompts")
    name = models.CharField(_("name"), max_length=60)
    text = models.TextField(_("text"), max_length=PROMPT_CHARS)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("saved prompt")
        verbose_name_plural = _("saved prompts")
        ordering = ["name", "created_at"]

    def __str__(self) -> str:
        return self.name


class ConversationSettings(models.Model):
    """The persona and the settings of answers in one conversation. Without a row, the defaults apply."""

    conversation = models.OneToOneField(
        Conversation, models.CASCADE, primary_key=True, related_name="conversation_settings"
    )
    persona = models.ForeignKey(Persona, models.SET_NULL, null=True, blank=True, related_name="+")
    # By name, only those that differ from the model's defaults (chat/personas/sampling.py has the names).
    settings = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("settings of a conversation")
        verbose_name_plural = _("settings of conversations")

    def __str__(self) -> str:
        return str(self.pk)
