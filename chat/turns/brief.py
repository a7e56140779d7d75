"""What one reply is asked with: the model, the system message, sampling and seed.

Recorded in its row, so that another attempt is asked the same.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.model_cards import check_not_retired, model_for
from chat.conversations.models import Conversation, ModelCard
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens, grouped
from chat.turns.wishes import AS_THE_CONVERSATION, Wishes
from chat.voice import services as voice
from chat.voice.access import persona_for
from chat.voice.models import Persona
from chat.voice.sampling import OF_SAMPLING, USUAL, Number
from inference.contract import SEED_LIMIT, Sampling


@dataclass(frozen=True, slots=True)
class Brief:
    model: ModelCard
    system: str  # "": no system message
    persona: str  # its name then
    sampling: dict[str, Number]
    seed: int
    max_tokens: int

    @property
    def parameters(self) -> dict[str, Any]:
        return {**self.sampling, "system": self.system, "persona": self.persona}


def brief_for(user: User, conversation: Conversation, wishes: Wishes) -> Brief:
    """Raises ChatErrors: an unknown or retired model, an unknown persona, instructions that are forbidden or
    leave no room."""
    model = _model_for(user, conversation, wishes)
    manner = voice.manner_of(conversation)
    kept = {**manner.settings, **wishes.settings}
    longest = min(settings.MAX_NEW_TOKENS, model.context_tokens // 2)
    persona, system = _told(user, wishes, manner.persona)
    if wishes.like is not None:
        kept |= {name: wishes.like.parameters[name] for name in OF_SAMPLING if name in wishes.like.parameters}
    _check_system(system, model)
    return Brief(
        model=model,
        system=system,
        persona=persona,
        sampling={name: kept.get(name, USUAL[name]) for name in OF_SAMPLING},
        seed=int(kept.get("seed", secrets.randbelow(SEED_LIMIT))),
        max_tokens=min(longest, int(kept.get("max_tokens", longest))),
    )


def _model_for(user: User, conversation: Conversation, wishes: Wishes) -> ModelCard:
    """Raises ModelRetired. The model of the chat, or of the answer that is continued, may be a hidden one."""
    if wishes.model is None or wishes.model == conversation.model_id:
        check_not_retired(conversation.model)
        return conversation.model
    if wishes.like is not None:
        return ModelCard.objects.get(slug=wishes.model)
    return model_for(wishes.model, user)


def _told(user: User, wishes: Wishes, kept: Persona | None) -> tuple[str, str]:
    """The persona's name and the system message."""
    if wishes.like is not None:
        parameters = wishes.like.parameters
        return parameters.get("persona", ""), parameters.get("system", "")
    if wishes.persona != AS_THE_CONVERSATION:
        kept = persona_for(user, wishes.persona) if wishes.persona else None
    return kept.name if kept else "", voice.system_text(user, kept)


def _check_system(system: str, model: ModelCard) -> None:
    if not system:
        return
    check_text("system_text", system)  # rules may be newer than the texts
    tokens = estimate_tokens(system)
    if tokens > model.context_tokens // 2:
        words = _(
            "The persona and your instructions take about %(n)s tokens; this model reads %(limit)s in all. "
            "Please shorten them."
        )
        raise BadInput(words % {"n": grouped(tokens), "limit": grouped(model.context_tokens)})


def sampling_of(parameters: dict[str, Any]) -> Sampling:
    """Of a row; one that is older than a setting does not name it."""
    return Sampling(**{name: parameters[name] for name in OF_SAMPLING if name in parameters})
