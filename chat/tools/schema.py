"""Checks the arguments of a call against a tool's JSON schema.

It knows the keywords that tools for models use: type, properties, required, additionalProperties, items,
enum, minimum, maximum, minLength, maxLength, minItems, maxItems. Others are ignored: the tool checks them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def problem_with(arguments: Any, schema: Mapping[str, Any]) -> str:
    """Returns the first thing that does not fit, in English, for the model; "" if everything fits."""
    return next(_problems(arguments, schema, "arguments"), "")


def _problems(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else list(types)
    if names and not any(_is_of(value, name) for name in names):
        yield f"{where} must be of type {' or '.join(names)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} must be one of {schema['enum']}"
    if isinstance(value, dict):
        yield from _of_object(value, schema, where)
    elif isinstance(value, list):
        yield from _of_size(len(value), schema, "Items", f"the number of {where}")
        for number, item in enumerate(value):
            yield from _problems(item, schema.get("items", {}), f"{where}[{number}]")
    elif isinstance(value, str):
        yield from _of_size(len(value), schema, "Length", f"the length of {where}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_range(value, schema.get("minimum"), schema.get("maximum"), where)


def _is_of(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES.get(name, (object,)))


def _of_object(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where} must have {name!r}"
    for name, item in value.items():
        if name in properties:
            yield from _problems(item, properties[name], f"{where}.{name}")
        elif schema.get("additionalProperties", True) is False:
            yield f"{where} must not have {name!r}"


def _of_size(size: int, schema: Mapping[str, Any], unit: str, where: str) -> Iterator[str]:
    yield from _of_range(size, schema.get(f"min{unit}"), schema.get(f"max{unit}"), where)


def _of_range(value: float, least: float | None, most: float | None, where: str) -> Iterator[str]:
    if least is not None and value < least:
        yield f"{where} must be at least {least}"
    if most is not None and value > most:
        yield f"{where} must be at most {most}"
