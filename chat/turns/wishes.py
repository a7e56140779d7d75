"""What a person asks of one reply beside the question: `params` of the frames that ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chat.conversations.models import Conversation, ModelCard
from chat.conversations.services import model_for
from chat.core.errors import BadInput
from chat.turns.models import Generation

TEMPERATURE, TOP_P = 0.7, 0.95


@dataclass(frozen=True, slots=True)
class Wishes:
    """None: as the conversation has it."""

    model: str | None = None
    temperature: float = TEMPERATURE
    top_p: float = TOP_P

    @classmethod
    def of(cls, params: object) -> Wishes:
        """From a frame; unknown names are refused, so that a typing error does not pass for a wish."""
        if params is None:
            return cls()
        if not isinstance(params, dict) or set(params) - {"model", "temperature", "top_p"}:
            raise BadInput(_("`params` may hold model, temperature and top_p."))
        model = params.get("model")
        if model is not None and not isinstance(model, str):
            raise BadInput(_("There is no such model."))
        return cls(
            model,
            _number(params, "temperature", TEMPERATURE, lowest=0.0, highest=2.0),
            _number(params, "top_p", TOP_P, lowest=0.05, highest=1.0),
        )

    @classmethod
    def like(cls, generation: Generation) -> Wishes:
        """As they were for an earlier reply; its model may be gone."""
        known = ModelCard.objects.filter(slug=generation.model).exists()
        parameters = generation.parameters
        return cls(generation.model if known else None, parameters["temperature"], parameters["top_p"])

    def card(self, conversation: Conversation) -> ModelCard:
        if self.model is None or self.model == conversation.model_id:
            return conversation.model
        return model_for(self.model)

    def sampling(self) -> dict[str, float]:
        return {"temperature": self.temperature, "top_p": self.top_p}


def _number(params: dict[str, Any], name: str, default: float, *, lowest: float, highest: float) -> float:
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise BadInput(
            _("%(name)s must be a number from %(lowest)g to %(highest)g.")
            % {"name": name, "lowest": lowest, "highest": highest}
        )
    return float(value)
