"""Knows the servers of one model: which of them answer, what they accept, how much fits into a prompt."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from typing import Any

import httpx2 as httpx

from inference.contract import EFFORTS, Capabilities, ErrorCode, Resume, tokens_of_image
from inference.servers import probe
from inference.servers.address import ServedModel
from inference.servers.client import Server, Timeouts
from inference.servers.errors import Refused, ServerError
from inference.servers.replicas import Replica, Replicas

log = logging.getLogger("grokweb.servers")

DEFAULT_CONTEXT = 8192  # tokens, while no server says its own
PROBE_SECONDS = (1.0, 2.0, 5.0, 10.0, 15.0)  # between probes of a server that failed
IDLE_SECONDS = 30.0  # between checks of a server that is well and answers nobody: its pages say so
FIRST_RATIO = 3.5  # characters a token, until the servers' usage tells
LEAST_RATIO, MOST_RATIO = 0.5, 8.0
MESSAGE_TOKENS = 8  # for the marks around a message
NEWEST_SHARE = 0.2  # of the newest usage in the running mean
NEWEST_LEAST = 200  # characters: a shorter prompt is mostly marks


class ServerPool:
    """`context` in tokens; 0: the smallest that the servers name."""

    def __init__(
        self,
        served: ServedModel,
        *,
        key: str,
        transport: httpx.AsyncBaseTransport,
        timeouts: Timeouts,
        context: int = 0,
    ) -> None:
        self.model = served.model
        self.timeouts = timeouts
        self.context = context or DEFAULT_CONTEXT
        self._is_context_fixed = bool(context)
        self._ratio = FIRST_RATIO
        self._transport = transport
        servers = (Server(base, key=key, transport=transport, timeouts=timeouts) for base in served.bases)
        self.replicas = Replicas([Replica(server) for server in servers])

    @property
    def problem(self) -> str:
        """Returns the ErrorCode that says why no server can be used, "" if one can."""
        return self.replicas.problem

    @property
    def capabilities(self) -> Capabilities:
        """Returns what all servers can do that were tried out; before that, the least."""
        probed = [replica for replica in self.replicas.all if replica.probed]
        continues = bool(probed) and all(replica.accepted.prefix for replica in probed)
        common = [
            effort for effort in EFFORTS if probed and all(effort in each.accepted.efforts for each in probed)
        ]
        resume = Resume.PREFIX if continues else Resume.RESTART
        tools = bool(probed) and all(replica.accepted.tools for replica in probed)
        images = bool(probed) and all(replica.accepted.images for replica in probed)
        return Capabilities(resume, reasoning=True, efforts=tuple(common), tools=tools, images=images)

    async def close(self) -> None:
        await self._transport.aclose()

    def number(self, replica: Replica) -> int:
        """Returns the number of a server in GROKWEB_MODEL, from 1: its address is not for logs."""
        return self.replicas.all.index(replica) + 1

    def note_failure(self, replica: Replica, error: ServerError, generation_id: str = "") -> None:
        replica.failed(error)
        about = {"server": self.number(replica), **({"generation": generation_id} if generation_id else {})}
        log.warning("model server: %s", error, extra=about)

    # --- Probes -------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Probes every server at the start and while it has a problem, and checks it while it is idle. Runs
        until it is cancelled.
        """
        await asyncio.gather(*(self._watch(replica) for replica in self.replicas.all))

    async def check(self, replicas: Collection[Replica]) -> None:
        """Notes which of these servers do not even list their models any more."""
        await asyncio.gather(*(self._check(replica) for replica in replicas if not replica.problem))

    async def _check(self, replica: Replica) -> None:
        try:
            await replica.server.get("models")
        except ServerError as error:
            self.note_failure(replica, error)

    async def _watch(self, replica: Replica) -> None:
        failures, checked_at = 0, time.monotonic()
        while True:
            if replica.load:
                checked_at = time.monotonic()
            if not replica.probed or replica.problem:
                try:
                    await self._probe(replica)
                    failures = 0
                except ServerError as error:
                    self.note_failure(replica, error)
                    failures += 1
            elif time.monotonic() - checked_at >= IDLE_SECONDS:
                await self._check(replica)
                checked_at = time.monotonic()
            await asyncio.sleep(PROBE_SECONDS[min(failures, len(PROBE_SECONDS) - 1)])

    async def _probe(self, replica: Replica) -> None:
        offer = await probe.ask(replica.server, self.model)
        replica.context, replica.kind = offer.context, offer.kind
        self._adopt_context()
        if replica.probed:
            if replica.problem == ErrorCode.SERVER_KEY:  # many servers list their models to everybody
                try:
                    await probe.ask_for_a_token(replica.server, self.model)
                except Refused:  # the key is accepted now, the model is not
                    replica.problem = ErrorCode.SERVER_REFUSED
                    return
            replica.succeeded()
            return
        try:
            replica.accepted = await probe.try_out(replica.server, self.model)
        except Refused as error:
            replica.problem = ErrorCode.SERVER_REFUSED
            missing = bool(offer.models) and self.model not in offer.models
            hint = "it does not list this model" if missing else "see the server's own log"
            log.warning("model server: %s: %s", error, hint, extra={"server": self.number(replica)})
            return
        replica.probed = True
        replica.succeeded()
        about = {"server": self.number(replica), "kind": replica.kind, "context": replica.context}
        log.info("model server found", extra={**about, "continues": replica.accepted.prefix or "no"})

    def _adopt_context(self) -> None:
        known = [each.context for each in self.replicas.all if each.context]
        if known and not self._is_context_fixed:
            self.context = min(known)

    # --- Size of prompts ----------------------------------------------------------------------------------

    def estimate(self, messages: Sequence[dict[str, Any]]) -> int:
        """Returns about how many tokens messages have; only the server has the tokenizer."""
        text = int(characters_of(messages) / self._ratio) + MESSAGE_TOKENS * len(messages)
        return text + image_tokens(messages)

    def learn(self, messages: Sequence[dict[str, Any]], tokens: int) -> None:
        """Improves the estimate with the prompt tokens that a server reported for `messages`."""
        characters = characters_of(messages)
        tokens -= MESSAGE_TOKENS * len(messages) + image_tokens(messages)
        if characters < NEWEST_LEAST or tokens < 1:
            return
        newest = min(max(characters / tokens, LEAST_RATIO), MOST_RATIO)
        self._ratio += NEWEST_SHARE * (newest - self._ratio)


def image_tokens(messages: Sequence[dict[str, Any]]) -> int:
    """Estimates the tokens of images: models differ, and only the server knows."""
    images = (image for each in messages for image in each.get("images", []))
    return sum(tokens_of_image(image["width"], image["height"]) for image in images)


def characters_of(messages: Sequence[dict[str, Any]]) -> int:
    return sum(len(each["content"]) + len(each.get("thought", "")) for each in messages)
