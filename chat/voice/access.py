"""The doors to personas: a person's own and the site's. Absent and somebody else's look the same."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils.translation import get_language

from chat.accounts.models import User
from chat.core.errors import NotFound
from chat.voice.models import Persona, Prompt


def personas_offered(user: User) -> QuerySet[Persona]:
    """The site's in the reader's language, then their own."""
    language = (get_language() or "").split("-")[0]
    site = Q(owner=None, language__in=["", language])
    return Persona.objects.filter(site | Q(owner=user)).order_by(
        F("owner_id").asc(nulls_first=True), "created_at", "name"
    )


def persona_for(user: User, pk: object) -> Persona:
    """One that this person may choose, in whatever language it is."""
    found = Persona.objects.filter(Q(owner=None) | Q(owner=user), pk=_uuid(pk)).first()
    if found is None:
        raise NotFound
    return found


def own_personas(user: User) -> QuerySet[Persona]:
    return Persona.objects.filter(owner=user)


def own_prompts(user: User) -> QuerySet[Prompt]:
    return Prompt.objects.filter(owner=user)


def site_persona_called(name: str) -> Persona | None:
    """In whatever language it is; where several have the name, the one in the reader's."""
    language = (get_language() or "").split("-")[0]
    named = Persona.objects.filter(owner=None, name=name)
    return named.filter(language__in=["", language]).first() or named.first()


def own_persona_for(user: User, pk: object) -> Persona:
    """One that this person may change."""
    found = Persona.objects.filter(owner=user, pk=_uuid(pk)).first()
    if found is None:
        raise NotFound
    return found


def own_prompt_for(user: User, pk: object) -> Prompt:
    found = Prompt.objects.filter(owner=user, pk=_uuid(pk)).first()
    if found is None:
        raise NotFound
    return found


def _uuid(pk: object) -> UUID:
    try:
        return pk if isinstance(pk, UUID) else UUID(str(pk))
    except ValueError:
        raise NotFound from None
