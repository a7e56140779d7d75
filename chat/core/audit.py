"""Writes and verifies the audit log of staff actions: append-only rows, each sealing the one before with
SHA-256.

`verify` finds any row that was changed, removed from the middle or slipped in. What it cannot see is the
removal of the newest rows: note the newest seal somewhere else (docs/security.md).

What is sealed cannot be taken back, so people whom staff deal with are named by number (`on_model`), never by
name or address; the admin's list says whose number it is, while they are here. Staff are named by address.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from chat.core.models import StaffAction

GENESIS = "0" * 64  # `previous` of the first row
TRIES = 50  # each lost race means that another row was written
BATCH = 1000
# Sealed rows keep the names of the release that wrote them; pages show today's, and searches find both.
VERB_ALIASES = {"leave": "delete own account"}
TARGET_ALIASES = {
    "departure": "deletionjob",
    "instructions": "custominstructions",
    "manner": "conversationsettings",
    "prompt": "savedprompt",
}


def record(actor: Any, verb: str, target: Any, **detail: Any) -> StaffAction:
    """Appends one row, in the caller's transaction if there is one: an action and its row commit together.

    Call it last in a transaction: on PostgreSQL the next writer waits until this one commits.
    """
    row = {
        "at": timezone.now(),
        "actor_email": getattr(actor, "email", "") or "system",
        "verb": verb[:64],
        "target": _plain(str(target))[:200],
        "detail": _plain(detail),
    }
    saved_actor = actor if getattr(actor, "pk", None) else None
    for _attempt in range(TRIES):
        try:
            with transaction.atomic():
                previous = _newest_seal()
                return StaffAction.objects.create(
                    **row, actor=saved_actor, previous=previous, seal=_seal(previous, **row)
                )
        except IntegrityError:
            continue  # another writer followed the same row first: `previous` is unique
    raise RuntimeError(f"no place in the audit chain after {TRIES} tries")


def verify(using: str = "default") -> int | None:
    """Returns the key of the first row that breaks the chain, or None when it is whole."""
    previous, last_pk = GENESIS, 0
    while True:
        rows = list(StaffAction.objects.using(using).filter(pk__gt=last_pk).order_by("pk")[:BATCH])
        for row in rows:
            expected = _seal(
                previous,
                at=row.at,
                actor_email=row.actor_email,
                verb=row.verb,
                target=row.target,
                detail=row.detail,
            )
            if row.previous != previous or row.seal != expected:
                return row.pk
            previous, last_pk = row.seal, row.pk
        if len(rows) < BATCH:
            return None


def on_model(obj: models.Model) -> str:
    """Returns the name of a database row in `target`: user:<id>, report:<id> …"""
    return f"{obj._meta.model_name}:{obj.pk}"


def current_verb(verb: str) -> str:
    """Returns today's name of a verb that an older release may have recorded."""
    return VERB_ALIASES.get(verb, verb)


def current_target(target: str) -> str:
    """Returns the target with today's name of its model."""
    name, colon, pk = target.partition(":")
    return f"{TARGET_ALIASES.get(name, name)}{colon}{pk}"


def older_names(words: str) -> list[str]:
    """Returns the recorded names, verbs and models, whose current name contains all of `words`."""
    aliases = {**VERB_ALIASES, **TARGET_ALIASES}
    return [old for old, new in aliases.items() if words and words.lower() in new]


def _newest_seal() -> str:
    newest = StaffAction.objects.order_by("-pk").values_list("seal", flat=True).first()
    return newest or GENESIS


def _seal(previous: str, *, at: datetime, actor_email: str, verb: str, target: str, detail: Any) -> str:
    """Computes the seal. It leaves out the actor's key, which becomes null when that user is deleted."""
    fields = {
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": actor_email,
        "verb": verb,
        "target": target,
        "detail": detail,
    }
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Converts to what both databases return unchanged: strings without U+0000, integers, booleans, null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()
