"""Checks the arguments of a call against a tool's JSON schema.

It knows the keywords that tools for models use: type, properties, required, additionalProperties, items,
enum, minimum, maximum, minLength, maxLength, minItems, maxItems. Others are ignored: the tool checks them. So
are keywords and parts of a schema that are not of the form that is known here.
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
MOST_DEPTH = 32  # of a schema; its values may be nested deeper


def problem_with(arguments: Any, schema: Mapping[str, Any]) -> str:
    """Returns the first thing that does not fit, in English, for the model; "" if everything fits."""
    return next(_problems(arguments, schema, "arguments"), "")


def _problems(value: Any, schema: Any, where: str, depth: int = 0) -> Iterator[str]:
    if not schema or not isinstance(schema, Mapping):
        return  # `true`, or what is no schema
    if depth > MOST_DEPTH:
        yield f"{where} is nested too deeply"
        return
    types = schema.get("type", [])
    names = [
        name for name in ([types] if isinstance(types, str) else _list_of(types)) if isinstance(name, str)
    ]
    if names and not any(_is_of(value, name) for name in names):
        yield f"{where} must be of type {' or '.join(names)}"
        return
    if isinstance(schema.get("enum"), list | tuple) and value not in schema["enum"]:
        yield f"{where} must be one of {schema['enum']}"
    if isinstance(value, dict):
        yield from _of_object(value, schema, where, depth)
    elif isinstance(value, list):
        yield from _of_size(len(value), schema, "Items", f"the number of {where}")
        for number, item in enumerate(value):
            yield from _problems(item, schema.get("items"), f"{where}[{number}]", depth + 1)
    elif isinstance(value, str):
        yield from _of_size(len(value), schema, "Length", f"the length of {where}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_range(value, schema.get("minimum"), schema.get("maximum"), where)


def _list_of(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _is_of(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES.get(name, (object,)))


def _of_object(value: Mapping[str, Any], schema: Mapping[str, Any], where: str, depth: int) -> Iterator[str]:
    found = schema.get("properties")
    properties = found if isinstance(found, Mapping) else {}
    for name in _list_of(schema.get("required")):
        if name not in value:
            yield f"{where} must have {name!r}"
    for name, item in value.items():
        if name in properties:
            yield from _problems(item, properties[name], f"{where}.{name}", depth + 1)
        elif schema.get("additionalProperties", True) is False:
            yield f"{where} must not have {name!r}"


def _of_size(size: int, schema: Mapping[str, Any], unit: str, where: str) -> Iterator[str]:
    yield from _of_range(size, schema.get(f"min{unit}"), schema.get(f"max{unit}"), where)


def _of_range(value: float, least: Any, most: Any, where: str) -> Iterator[str]:
    if isinstance(least, int | float) and value < least:
        yield f"{where} must be at least {least}"
    if isinstance(most, int | float) and value > most:
        yield f"{where} must be at most {most}"
