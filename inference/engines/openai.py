"""Makes the engine for a model behind OpenAI-compatible servers; `inference/servers/` talks to them.

    GROKWEB_MODEL=http://localhost:11434/v1#qwen3:30b GROKWEB_MODEL_KEY=…

One thread runs an event loop, with one connection for each reply. A server that is silent, dead or sends
nonsense can fail the replies that wait for it, but does not end the process: the worker watches a counter of
the loop's beats, not of tokens. Replies are complete, but not byte-equal after a resume: the server decides.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from inference import settings
from inference.base import exit_status
from inference.base.env import InvalidSetting
from inference.base.lines import english, joined, line_of
from inference.base.outbound import Limits, Listed, Policy
from inference.base.secret_file import read_secret
from inference.contract import (
    Capabilities,
    Delta,
    Ended,
    ErrorCode,
    Event,
    GenerationRequest,
    GivenBack,
    Piece,
    Reason,
    Resume,
)
from inference.engines.base import Emit, Engine
from inference.engines.entry import Asked, ModelAbout
from inference.model_dir.headers import ModelUnusable
from inference.outbound.httpx_transport import AsyncGuardedTransport
from inference.servers.address import ServedModel, parse_address
from inference.servers.admission import look
from inference.servers.answering import Answering, Outcome
from inference.servers.client import Timeouts
from inference.servers.pool import DEFAULT_CONTEXT, ServerPool
from inference.text.title import PREFIX as TITLE_PREFIX

log = logging.getLogger("grokweb.servers")

BEAT_SECONDS = 0.25
STREAM_BYTES = 256 * 2**20  # of one answer; the limit of tokens ends it far sooner


class OpenAIServer:
    """Describes, asks and opens models on servers; the entry in the table of engines."""

    label = "an OpenAI-compatible server"

    def describe(self, model: str) -> ModelAbout:
        served = parse_address(model)
        return ModelAbout(slug=served.slug, name=served.model, context=settings.CONTEXT)

    def usable_context(self, model: str, wanted: int) -> int:
        return wanted

    def create(self, model: str, *, slots: int, threads: int, cache_bytes: int, context: int) -> Engine:
        asked = self.ask(model)
        if not asked.is_usable:
            raise ModelUnusable(joined(asked.problems))
        return OpenAIEngine(parse_address(model), key=read_key(), slots=slots, context=context)

    def ask(self, model: str, key: str | None = None) -> Asked:
        """Asks all servers of a model; takes some ten seconds at most."""
        served = parse_address(model)
        key = read_key() if key is None else key
        check_key(key)
        found = asyncio.run(look(served, key=key, transport=guarded_transport(served)))
        return Asked(
            tuple(each.problem for each in found if each.problem),
            is_usable=not all(each.problem for each in found),
            is_silent=not any(each.answers for each in found),
        )


def read_key() -> str:
    """Returns the key for the servers, "" for none. Raises ModelUnusable for one that cannot be used."""
    try:
        key = read_secret("GROKWEB_MODEL_KEY", settings.MODEL_KEY, settings.MODEL_KEY_FILE)
    except InvalidSetting as error:
        raise ModelUnusable(line_of(error)) from None
    check_key(key)
    return key


def check_key(key: str) -> None:
    """Raises ModelUnusable for a key that no header can carry."""
    if not key.isascii() or (key and not key.isprintable()):
        raise ModelUnusable(
            english("the key of the model's server has characters that cannot be sent: check it")
        )


def guarded_transport(served: ServedModel) -> httpx.AsyncBaseTransport:
    """Returns a transport that reaches the servers that the operator named and nothing else."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it names each address at INFO
    listed = Listed()
    for base in served.bases:
        listed = listed.with_url(base)
    # servers/client.py ends a silent request; the limit here only has to be longer.
    silent = 60 + max(settings.SERVER_FIRST_SECONDS, settings.SERVER_NEXT_SECONDS)
    limits = Limits(
        silent_seconds=silent, total_seconds=None, body_bytes=STREAM_BYTES, decoded_bytes=STREAM_BYTES
    )
    policy = Policy("engine", listed=listed, limits=limits, plain_http=settings.SERVER_PLAIN_HTTP)
    return AsyncGuardedTransport(policy)


@dataclass(eq=False, slots=True)
class Running:
    """Holds a reply under way. `is_stopped`: its task was cancelled by a person's stop, not by a drop.

    A task that is cancelled before it has begun never runs, so `_leave` answers the stop for it.
    """

    request: GenerationRequest
    logged: tuple[Piece, ...]
    task: asyncio.Task[None] | None = None
    has_begun: bool = False
    is_stopped: bool = False

    @property
    def seq(self) -> int:
        return self.logged[-1].seq if self.logged else 0


class OpenAIEngine:
    """Answers through servers; base.Engine describes the methods. Those with `_` run in the loop's thread."""

    back_end = "openai"

    def __init__(
        self,
        served: ServedModel,
        *,
        key: str,
        slots: int,
        context: int = 0,
        timeouts: Timeouts | None = None,
        transport: Callable[[ServedModel], httpx.AsyncBaseTransport] | None = None,
        exit: Callable[[int], object] = os._exit,
    ) -> None:
        self.slug, self.name = served.slug, served.model
        self.fingerprint = f"openai:{served.model}"
        self.slots = slots
        self._served, self._key, self._context = served, key, context
        self._timeouts = timeouts or Timeouts(
            first=settings.SERVER_FIRST_SECONDS, next=settings.SERVER_NEXT_SECONDS
        )
        self._transport = transport or guarded_transport
        self._exit = exit
        self._steps = 0
        self._counted = {"steps": 0, "rows": 0, "tokens": 0}
        self._running: dict[str, Running] = {}
        self._has_started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.pool: ServerPool | None = None
        self._thread: threading.Thread | None = None
        self._emit: Emit = lambda events: None

    @property
    def context(self) -> int:
        return self.pool.context if self.pool else self._context or DEFAULT_CONTEXT

    @property
    def capabilities(self) -> Capabilities:
        return self.pool.capabilities if self.pool else Capabilities(Resume.RESTART)

    @property
    def steps(self) -> int:
        return self._steps

    @property
    def busy(self) -> bool:
        return bool(self._running)

    @property
    def problem(self) -> str:
        return self.pool.problem if self.pool else ""

    def metrics(self) -> dict[str, int]:
        return dict(self._counted)

    def start(self, emit: Emit) -> None:
        if self._thread:
            raise RuntimeError("this engine was started before")
        self._emit = emit
        self._thread = threading.Thread(target=self._run, name=f"engine-{self.slug}", daemon=True)
        self._thread.start()
        self._has_started.wait()

    def submit(
        self, request: GenerationRequest, emitted: Sequence[int], *, logged: Sequence[Piece] = ()
    ) -> None:
        self._call(self._begin, Running(request, tuple(logged)))

    def cancel(self, generation_id: str) -> None:
        self._call(self._leave, generation_id, True)

    def drop(self, generation_id: str) -> None:
        self._call(self._leave, generation_id, False)

    def stop(self) -> None:
        self._call(self._closing.set)
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)

    def _call(self, function: Callable[..., Any], *args: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)

    # --- The loop's thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception:
            log.exception("the engine's loop failed: this process ends")
            self._exit(exit_status.ENGINE_FAILED)
        finally:
            self._has_started.set()

    async def _main(self) -> None:
        self._closing = asyncio.Event()
        self._room = asyncio.Semaphore(self.slots)
        transport = self._transport(self._served)
        self.pool = ServerPool(
            self._served, key=self._key, transport=transport, timeouts=self._timeouts, context=self._context
        )
        self._loop = asyncio.get_running_loop()
        self._has_started.set()
        background = {asyncio.create_task(self._beat()), asyncio.create_task(self.pool.watch())}
        closing = asyncio.create_task(self._wait_for_close())
        done, _ = await asyncio.wait({*background, closing}, return_when=asyncio.FIRST_COMPLETED)
        tasks = [*background, *(each.task for each in self._running.values() if each.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.pool.close()
        for task in done:
            task.result()  # raises what ended a task that should run for ever

    async def _wait_for_close(self) -> None:
        await self._closing.wait()

    async def _beat(self) -> None:
        while True:
            self._steps += 1
            await asyncio.sleep(BEAT_SECONDS)

    def _begin(self, running: Running) -> None:
        generation_id = running.request.generation_id
        self._leave(generation_id, False)
        self._running[generation_id] = running
        running.task = asyncio.ensure_future(self._serve(running))

    def _leave(self, generation_id: str, is_stopped: bool) -> None:
        running = self._running.get(generation_id)
        if running is None or running.task is None:
            return
        running.is_stopped = is_stopped
        if not is_stopped or not running.has_begun:
            del self._running[generation_id]
        running.task.cancel()
        if is_stopped and not running.has_begun:
            self._send(self._ended(running.request, running.seq, Outcome(Reason.STOPPED)))

    async def _serve(self, running: Running) -> None:
        running.has_begun = True
        request, logged, seq = running.request, running.logged, running.seq
        answering: Answering | None = None
        try:
            assert self.pool is not None
            answering = Answering(
                request,
                self.pool,
                lambda piece: self._send(Delta(request.generation_id, request.attempt, piece)),
                logged=logged,
                is_background=request.background or request.generation_id.startswith(TITLE_PREFIX),
            )
            async with self._room:
                outcome = await answering.run()
        except asyncio.CancelledError:
            if not running.is_stopped:
                return
            outcome = answering.stopped() if answering else Outcome(Reason.STOPPED)
        except Exception:
            log.exception("generation %s failed", request.generation_id)
            outcome = Outcome(Reason.FAILED, ErrorCode.ENGINE)
        if self._running.get(request.generation_id) is running:
            del self._running[request.generation_id]
            seq = answering.seq if answering else seq
            if outcome.is_given_back:
                self._send(GivenBack(request.generation_id, request.attempt, seq))
            else:
                self._send(self._ended(request, seq, outcome))

    def _send(self, event: Event) -> None:
        if isinstance(event, Delta):
            tokens = event.piece.seq - event.piece.after
            self._counted = {name: count + tokens for name, count in self._counted.items()}
        self._emit([event])

    def _ended(self, request: GenerationRequest, seq: int, outcome: Outcome) -> Ended:
        return Ended(
            request.generation_id,
            request.attempt,
            seq,
            outcome.reason,
            error=outcome.error,
            prompt_tokens=outcome.prompt_tokens,
            fingerprint=self.fingerprint,
            prefill_ms=outcome.prefill_ms,
            decode_ms=outcome.decode_ms,
            completion_tokens=outcome.completion_tokens,
            estimated=outcome.is_estimated,
            left_out=outcome.left_out,
            thoughts=outcome.thoughts,
        )
