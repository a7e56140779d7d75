"""A JSON column whose values are msgspec structs."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from django.db import models
from django.db.models.fields.json import KeyTransform


class StructField(models.JSONField):
    """Reads and writes `struct`. Migrations see a plain JSONField."""

    struct: ClassVar[type[msgspec.Struct]]
    _decoder: ClassVar[msgspec.json.Decoder[Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._decoder = msgspec.json.Decoder(cls.struct)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        """Raises msgspec.ValidationError for a row that holds something else."""
        if value is None or isinstance(expression, KeyTransform):
            return super().from_db_value(value, expression, connection)
        return self._decoder.decode(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        plain = msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
        return super().get_db_prep_value(plain, connection, prepared)

    def value_to_string(self, obj: models.Model) -> Any:
        return msgspec.to_builtins(self.value_from_object(obj))

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, {**kwargs, "default": dict}
