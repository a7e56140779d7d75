"""The parameters of one reply, as its row stores them."""

from __future__ import annotations

import msgspec

from chat.turns.struct_field import StructField
from inference.contract import Sampling

Number = int | float
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition", "presence", "frequency")
SHOWN_SAMPLING = SAMPLING[:5]  # `presence` and `frequency` are the model's own, nobody chooses them


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Stores the options of a reply, so that another attempt uses the same ones.

    Rows of earlier versions lack some fields, and rows of later ones may have more: both are read. A sampling
    parameter that is missing has the default of `contract.Sampling`.
    """

    max_new_tokens: int = 0  # 0 in no row that was stored here: `request_for` refuses it
    prefix_characters: int = msgspec.field(default=0, name="said")  # of the answer that it continues
    began_again: bool = False  # it should have continued an answer's thought, and its model cannot
    system: str = ""  # the system message; "": none
    persona: str = ""  # the persona's name when it was asked
    # How many characters of `system`, its first, are the words of a persona of the site, which only staff may
    # read; 0: none, all of it is the person's own. None: stored by a version that did not count them.
    site_characters: int | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    top_k: Number | None = None
    min_p: Number | None = None
    repetition: Number | None = None
    presence: Number | None = None
    frequency: Number | None = None
    tools: tuple[str, ...] = ()  # names of those that were offered
    context_limit: int = 0  # tokens, as staff had set it for the model; 0: none
    column: int = 0  # of an answer beside that of another model (columns.py); 0: alone
    effort: str = ""  # how much the model was asked to think; "": as it does by itself

    def sampling_values(self) -> dict[str, Number]:
        """Returns the sampling parameters that the row names."""
        values = {name: getattr(self, name) for name in SAMPLING}
        return {name: value for name, value in values.items() if value is not None}

    def sampling(self) -> Sampling:
        """Raises ValueError for numbers outside the contract's bounds."""
        return Sampling(**self.sampling_values())  # type: ignore[arg-type]

    def shown(self) -> dict[str, Number | str]:
        """Returns the settings that pages show beside an answer."""
        shown: dict[str, Number | str] = {
            name: value for name, value in self.sampling_values().items() if name in SHOWN_SAMPLING
        }
        if self.max_new_tokens:
            shown["max_new_tokens"] = self.max_new_tokens
        if self.effort:
            shown["effort"] = self.effort
        return shown


class ParametersField(StructField):
    struct = Parameters
