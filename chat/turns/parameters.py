"""The parameters of one reply, as its row stores them, and the model field that (de)serialises them."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db import models
from django.db.models.fields.json import KeyTransform

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
    system: str = ""  # the system message; "": none
    persona: str = ""  # the persona's name when it was asked
    temperature: Number | None = None
    top_p: Number | None = None
    top_k: Number | None = None
    min_p: Number | None = None
    repetition: Number | None = None
    presence: Number | None = None
    frequency: Number | None = None

    def sampling_values(self) -> dict[str, Number]:
        """Returns the sampling parameters that the row names."""
        values = {name: getattr(self, name) for name in SAMPLING}
        return {name: value for name, value in values.items() if value is not None}

    def sampling(self) -> Sampling:
        """Raises ValueError for numbers outside the contract's bounds."""
        return Sampling(**self.sampling_values())  # type: ignore[arg-type]

    def shown(self) -> dict[str, Number]:
        """Returns the numbers that pages show beside an answer."""
        shown = {name: value for name, value in self.sampling_values().items() if name in SHOWN_SAMPLING}
        return {**shown, "max_new_tokens": self.max_new_tokens} if self.max_new_tokens else shown


_decoder = msgspec.json.Decoder(Parameters)


class ParametersField(models.JSONField):
    """A JSON column whose values are `Parameters`. Migrations see a plain JSONField."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        """Raises msgspec.ValidationError for a row that holds something else."""
        if value is None or isinstance(expression, KeyTransform):
            return super().from_db_value(value, expression, connection)
        return _decoder.decode(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        plain = msgspec.to_builtins(value) if isinstance(value, Parameters) else value
        return super().get_db_prep_value(plain, connection, prepared)

    def value_to_string(self, obj: models.Model) -> Any:
        return msgspec.to_builtins(self.value_from_object(obj))

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, {**kwargs, "default": dict}
