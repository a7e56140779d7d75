"""What a person asks of one reply beside the question: `params` of the frames that ask."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from chat.conversations.models import ModelCard
from chat.core.errors import BadInput
from chat.turns.models import Generation
from chat.voice.sampling import BOUNDS, Number, checked

AS_THE_CONVERSATION = "as the conversation"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is not wished for is as the conversation has it."""

    model: str | None = None
    persona: str | None = AS_THE_CONVERSATION  # an id; None: without one
    settings: dict[str, Number] = field(default_factory=dict)
    like: Generation | None = None  # an earlier reply: all that was said to the model then, word for word

    @classmethod
    def of(cls, params: object) -> Wishes:
        """From a frame; unknown names are refused, so that a typing error does not pass for a wish."""
        if params is None:
            return cls()
        if not isinstance(params, dict) or set(params) - {"model", "persona", *BOUNDS}:
            raise BadInput(
                _("`params` may hold %(names)s.") % {"names": ", ".join(["model", "persona", *BOUNDS])}
            )
        model, persona = params.get("model"), params.get("persona", AS_THE_CONVERSATION)
        if model is not None and not isinstance(model, str):
            raise BadInput(_("There is no such model."))
        if persona is not None and not isinstance(persona, str):
            raise BadInput(_("There is no such persona."))
        return cls(model, persona, checked({name: params[name] for name in BOUNDS if name in params}))

    @classmethod
    def as_for(cls, generation: Generation) -> Wishes:
        """As they were for an earlier reply; its model may be gone or retired."""
        known = ModelCard.objects.filter(slug=generation.model, is_retired=False).exists()
        return cls(generation.model if known else None, like=generation)
