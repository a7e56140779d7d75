"""Keeps the model and the persona that a person chose for their new chats."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from chat.accounts.models import User
from chat.model_cards.access import model_for
from chat.model_cards.models import ModelCard, PreferredModel
from chat.personas.access import default_links, persona_for
from chat.personas.models import Persona, PreferredPersona


def preferred_persona(user: User) -> Persona | None:
    """Returns the persona of a person's new chats; None: they have none."""
    row = PreferredPersona.objects.filter(user=user).select_related("persona").first()
    return row.persona if row else None


def usual_persona(user: User, model: ModelCard) -> Persona | None:
    """Returns the persona with which a person's new chat begins: their own choice, else the default of its
    model, in one query."""
    chosen = Exists(PreferredPersona.objects.filter(user=user, persona=OuterRef("pk")))
    found = Persona.objects.annotate(is_chosen=chosen).filter(
        Q(is_chosen=True) | Q(pk__in=default_links().filter(modelcard=model).values("persona"))
    )
    return found.order_by("-is_chosen", "-language").first()


def get_new_chat_defaults(user: User) -> dict[str, Any]:
    """Returns `model` and `persona` as the form shows them: a slug and an id, empty without a choice."""
    model = PreferredModel.objects.filter(user=user).first()
    persona = PreferredPersona.objects.filter(user=user).first()
    return {
        "model": model.model_id if model else "",
        "persona": str(persona.persona_id) if persona else "",
    }


@transaction.atomic
def save_new_chat_defaults(*, user: User, model: str, persona: str) -> None:
    """Stores both choices; an empty one is that of the site. A choice that stays is not checked again: it may
    have been withdrawn meanwhile. Raises BadInput or NotFound; then nothing is stored."""
    before = get_new_chat_defaults(user)
    if model != before["model"]:
        _prefer_model(user, model)
    if persona != before["persona"]:
        _prefer_persona(user, persona)


def _prefer_model(user: User, slug: str) -> None:
    if slug:
        PreferredModel.objects.update_or_create(user=user, defaults={"model": model_for(slug, user)})
    else:
        PreferredModel.objects.filter(user=user).delete()


def _prefer_persona(user: User, pk: str) -> None:
    if pk:
        PreferredPersona.objects.update_or_create(user=user, defaults={"persona": persona_for(user, pk)})
    else:
        PreferredPersona.objects.filter(user=user).delete()
