"""Asks the servers of a model, before it is served, whether they will answer at all.

What a person has to correct (address, key, name of the model) is found and said in one line. A server that is
not up yet, busy or slow is no such problem: the worker waits for it and the page says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2 as httpx

from inference.base.lines import english, line_of
from inference.servers import probe
from inference.servers.address import ServedModel
from inference.servers.client import Server, Timeouts
from inference.servers.errors import KeyRefused, Refused, ServerError, WebPage

PATIENCE = Timeouts(connect=3.0, first=5.0, next=5.0, probe=5.0)  # a slower answer is no refusal
MOST_NAMED = 5  # models of a server
LONGEST_NAME = 60  # characters


@dataclass(frozen=True, slots=True)
class Found:
    """Says of one server what has to be corrected ("" for nothing), and whether it answered."""

    problem: str = ""
    answers: bool = True


async def look(
    served: ServedModel, *, key: str, transport: httpx.AsyncBaseTransport, patience: Timeouts = PATIENCE
) -> list[Found]:
    """Returns what was found of each server, in their order; closes the transport."""
    servers = [Server(base, key=key, transport=transport, timeouts=patience) for base in served.bases]
    names = [english("server %(number)s", number=number) for number in range(1, len(servers) + 1)]
    if len(servers) == 1:
        names = [english("the server")]
    looks = [_look(each, served.model, bool(key), name) for each, name in zip(servers, names, strict=True)]
    async with contextlib.aclosing(transport):
        return await asyncio.gather(*looks)


async def _look(server: Server, model: str, has_key: bool, name: str) -> Found:
    models: tuple[str, ...] = ()
    try:
        models = await probe.list_models(server)
        await probe.ask_for_a_token(server, model)
    except KeyRefused as error:
        return Found(_key_words(name, error.status, has_key=has_key))
    except WebPage:
        return Found(
            english(
                "%(server)s has a web page there, no OpenAI-compatible interface: check the address and its "
                "path, which usually is /v1",
                server=name,
            )
        )
    except Refused as error:
        return Found(_refusal(name, error, model, models))
    except ServerError as error:
        return Found(answers=error.is_answer)
    return Found()


def _key_words(name: str, status: int, *, has_key: bool) -> str:
    if has_key:
        return english(
            "%(server)s refuses the key: correct GROKWEB_MODEL_KEY, its file, or `key` in models.toml "
            "(status %(status)s)",
            server=name,
            status=status,
        )
    return english(
        "%(server)s wants a key: set GROKWEB_MODEL_KEY or GROKWEB_MODEL_KEY_FILE, or `key` in models.toml "
        "(status %(status)s)",
        server=name,
        status=status,
    )


def _refusal(name: str, error: Refused, model: str, models: Sequence[str]) -> str:
    if error.reason == "plain_http":
        return english(
            "%(server)s has a public address and no encryption: write https://, or set "
            "GROKWEB_SERVER_PLAIN_HTTP=1 if nobody else can read on the way",
            server=name,
        )
    if error.reason == "redirect":
        return english(
            "%(server)s redirects, which is not followed: write the address that it leads to", server=name
        )
    if not error.status:
        return english("%(server)s cannot be used: %(why)s", server=name, why=line_of(error))
    if models and model not in models:
        return english(
            "%(server)s does not offer %(model)s (status %(status)s): write after the # one of %(models)s",
            server=name,
            model=repr(model),
            status=error.status,
            models=_named(models),
        )
    if not models and error.status in {404, 405}:
        return english(
            "%(server)s offers no chat with %(model)s there (status %(status)s): check the address and its "
            "path, which usually is /v1, and the model's name",
            server=name,
            model=repr(model),
            status=error.status,
        )
    return english(
        "%(server)s refuses a short question (status %(status)s): see its own log",
        server=name,
        status=error.status,
    )


def _named(models: Sequence[str]) -> str:
    shown = ["".join(c if c.isprintable() else "?" for c in each)[:LONGEST_NAME] for each in models]
    more, first = len(shown) - MOST_NAMED, ", ".join(shown[:MOST_NAMED])
    return english("%(models)s and %(number)s more", models=first, number=more) if more > 0 else first
