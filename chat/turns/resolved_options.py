"""The options of one reply, resolved: its model, system message, sampling and seed.

They are stored in its row (parameters.py), so that another attempt is asked the same.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import cast

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens, grouped
from chat.model_cards.access import check_answers, model_for
from chat.model_cards.bounds import EFFORT, SAMPLING_NAMES, Number
from chat.model_cards.capabilities import capabilities_of, default_effort
from chat.model_cards.limits import answer_tokens
from chat.model_cards.models import ModelCard
from chat.personas import services as personas
from chat.personas.access import persona_for
from chat.personas.models import ConversationSettings, Persona
from chat.personas.sampling import MODEL_ONLY_NAMES, Setting, defaults_for
from chat.turns.parameters import Parameters
from chat.turns.reply_options import OF_THE_CONVERSATION, ReplyOptions
from inference.contract import SEED_LIMIT


@dataclass(frozen=True, slots=True)
class ResolvedOptions:
    model: ModelCard
    system: str  # "": no system message
    persona: str  # its name now
    site_characters: int | None  # as Parameters stores it
    sampling: dict[str, Number]
    seed: int
    max_tokens: int
    effort: str  # how much the model is asked to think; "": as it does by itself
    is_length_chosen: bool  # by the person, for this answer or for the conversation

    def parameters(self, *, max_new_tokens: int, prefix_characters: int) -> Parameters:
        return Parameters(
            max_new_tokens=max_new_tokens,
            prefix_characters=prefix_characters,
            system=self.system,
            persona=self.persona,
            site_characters=self.site_characters,
            effort=self.effort,
            context_limit=self.model.context_limit or 0,
            **self.sampling,  # type: ignore[arg-type]
        )


def resolve_options(
    user: User,
    conversation: Conversation,
    model: ModelCard,
    options: ReplyOptions,
    settings: ConversationSettings | None = None,
) -> ResolvedOptions:
    """Returns the options of a reply. `settings` are the conversation's, where the caller has them.

    Raises ChatErrors: an unknown persona, instructions that are forbidden or leave no room.
    """
    settings = settings or personas.get_conversation_settings(conversation)
    chosen = {**settings.settings, **options.settings}
    copied = options.copied_from.parameters if options.copied_from is not None else None
    if copied is not None:
        chosen |= {name: value for name, value in copied.sampling_values().items() if name in SAMPLING_NAMES}
        persona, system, site_characters = copied.persona, copied.system, copied.site_characters
    else:
        persona, system, site_characters = _persona_and_system(user, options, settings.persona)
    _check_system(system, model)
    tokens = answer_tokens(model)
    return ResolvedOptions(
        model=model,
        system=system,
        persona=persona,
        site_characters=site_characters,
        sampling=_sampling(chosen, copied, model),
        seed=int(chosen.get("seed", secrets.randbelow(SEED_LIMIT))),
        max_tokens=min(tokens.longest, int(chosen.get("max_tokens", tokens.usual))),
        effort=_effort(options, chosen, copied, model),
        is_length_chosen="max_tokens" in chosen,
    )


def _effort(
    options: ReplyOptions, chosen: dict[str, Setting], copied: Parameters | None, model: ModelCard
) -> str:
    """Returns how much the model is asked to think. What the conversation or an earlier answer has is left
    out where this model cannot be asked for it. Raises BadInput for what this reply asks."""
    offered = capabilities_of(model).efforts
    effort = str(chosen.get(EFFORT, default_effort(model))) if copied is None else copied.effort
    if EFFORT in options.settings and effort not in offered:
        words = _("The model “%(model)s” cannot be asked to think with effort “%(effort)s”.")
        raise BadInput(words % {"model": model.shown_name, "effort": effort})
    usual = default_effort(model) if copied is None else ""
    return effort if effort in offered else usual


def _sampling(chosen: dict[str, Setting], copied: Parameters | None, model: ModelCard) -> dict[str, Number]:
    """Returns the sampling of a reply: what the person chose, else the model's own, else the usual one."""
    usual = defaults_for(model)
    of_the_model = usual if copied is None else copied.sampling_values()
    return {name: cast("Number", chosen.get(name, usual[name])) for name in SAMPLING_NAMES} | {
        name: of_the_model[name] for name in MODEL_ONLY_NAMES if name in of_the_model
    }


def model_of_reply(user: User, conversation: Conversation, options: ReplyOptions) -> ModelCard:
    """Returns the model that is to answer. That of the chat or of a continued answer may be hidden.

    Raises BadInput for an unknown one, and ModelRetired.
    """
    if options.model is None or options.model == conversation.model_id:
        check_answers(conversation.model, user)
        return conversation.model
    if options.copied_from is not None:
        copied = ModelCard.objects.get(slug=options.model)
        check_answers(copied, user)
        return copied
    return model_for(options.model, user)


def _persona_and_system(user: User, options: ReplyOptions, persona: Persona | None) -> tuple[str, str, int]:
    """Returns the persona's name, the system message, and how many characters of that the site wrote."""
    if options.persona != OF_THE_CONVERSATION:
        persona = persona_for(user, options.persona) if options.persona else None
    system = personas.system_text(user, persona)
    if persona is None:
        return "", system, 0
    return persona.name, system, 0 if persona.owner_id == user.pk else len(persona.prompt)


def _check_system(system: str, model: ModelCard) -> None:
    if not system:
        return
    check_text("system_text", system)  # rules may be newer than the texts
    tokens = estimate_tokens(system)
    if tokens > model.context // 2:
        words = _(
            "The persona and your instructions take about %(n)s tokens; this model reads %(limit)s in all. "
            "Please shorten them."
        )
        raise BadInput(words % {"n": grouped(tokens), "limit": grouped(model.context)})
