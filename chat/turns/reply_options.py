"""Options a person sets for one reply, parsed from `params` of the send and regenerate frames."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.model_cards.bounds import SETTING_NAMES
from chat.model_cards.models import ModelCard
from chat.personas.sampling import Setting, parse_settings
from chat.turns.models import Generation

OF_THE_CONVERSATION = "of the conversation"


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """Fields left unset fall back to the conversation's settings."""

    model: str | None = None
    persona: str | None = OF_THE_CONVERSATION  # an id; None: without one
    settings: dict[str, Setting] = field(default_factory=dict)
    copied_from: Generation | None = None  # an earlier reply, whose parameters are used again

    @classmethod
    def parse(cls, params: object) -> ReplyOptions:
        """Raises BadInput. Unknown names are refused, so that a typing error does not pass unnoticed."""
        if params is None:
            return cls()
        if not isinstance(params, dict) or set(params) - {"model", "persona", *SETTING_NAMES}:
            raise BadInput(
                _("`params` may hold %(names)s.") % {"names": ", ".join(["model", "persona", *SETTING_NAMES])}
            )
        model, persona = params.get("model"), params.get("persona", OF_THE_CONVERSATION)
        if model is not None and not isinstance(model, str):
            raise BadInput(_("There is no such model."))
        if persona is not None and not isinstance(persona, str):
            raise BadInput(_("There is no such persona."))
        chosen = {name: params[name] for name in SETTING_NAMES if name in params}
        return cls(model, persona, parse_settings(chosen))

    @classmethod
    def copy_of(cls, generation: Generation) -> ReplyOptions:
        """Returns the options of an earlier reply, without its model where that is gone or retired."""
        known = ModelCard.objects.filter(slug=generation.model, is_retired=False).exists()
        return cls(generation.model if known else None, copied_from=generation)
