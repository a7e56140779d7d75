"""Finds the personas and saved prompts that a user may use. All others raise NotFound, as if absent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils.translation import get_language

from chat.accounts.models import User
from chat.core.errors import NotFound
from chat.personas.models import Persona, SavedPrompt


def personas_offered(user: User) -> QuerySet[Persona]:
    """Returns the site's personas in the reader's language, then the user's own."""
    language = (get_language() or "").split("-")[0]
    site = Q(owner=None, language__in=["", language])
    return Persona.objects.filter(site | Q(owner=user)).order_by(
        F("owner_id").asc(nulls_first=True), "created_at", "name"
    )


def persona_for(user: User, pk: object) -> Persona:
    """Returns a persona that this user may choose, whatever its language."""
    found = Persona.objects.filter(Q(owner=None) | Q(owner=user), pk=_uuid(pk)).first()
    if found is None:
        raise NotFound
    return found


def default_personas() -> dict[str, Persona]:
    """Returns the site's default personas by the slug of their model, in the reader's language; one for every
    language counts where that has none."""
    # "" is first, so that the reader's language replaces it.
    links = default_links().select_related("persona").order_by("persona__language")
    return {link.modelcard_id: link.persona for link in links}


def default_links() -> QuerySet[Any]:
    """Returns the rows that make a persona in the reader's language, or for every one, a model's default."""
    language = (get_language() or "").split("-")[0]
    links: QuerySet[Any] = Persona.default_of.through.objects.filter(
        persona__owner=None, persona__language__in=["", language]
    )
    return links


def own_personas(user: User) -> QuerySet[Persona]:
    return Persona.objects.filter(owner=user)


def own_prompts(user: User) -> QuerySet[SavedPrompt]:
    return SavedPrompt.objects.filter(owner=user)


def site_persona_called(name: str) -> Persona | None:
    """Returns the site's persona of this name, of several the one in the reader's language."""
    language = (get_language() or "").split("-")[0]
    named = Persona.objects.filter(owner=None, name=name)
    return named.filter(language__in=["", language]).first() or named.first()


def own_persona_for(user: User, pk: object) -> Persona:
    """Returns a persona that this user may change."""
    found = Persona.objects.filter(owner=user, pk=_uuid(pk)).first()
    if found is None:
        raise NotFound
    return found


def own_prompt_for(user: User, pk: object) -> SavedPrompt:
    found = SavedPrompt.objects.filter(owner=user, pk=_uuid(pk)).first()
    if found is None:
        raise NotFound
    return found


def _uuid(pk: object) -> UUID:
    try:
        return pk if isinstance(pk, UUID) else UUID(str(pk))
    except ValueError:
        raise NotFound from None
