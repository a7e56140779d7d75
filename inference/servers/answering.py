"""Gets one reply from the servers of a model: prompt, retries, another replica, the continuation after a cut.

Before the first chunk a request may be tried again; after it only on a server that continues an answer from
its text. Every failure ends in an Outcome: no server can make this raise anything but cancellation.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inference.contract import (
    MOST_RESTARTS,
    ErrorCode,
    GenerationRequest,
    Kind,
    Piece,
    Reason,
    Resume,
    count_thoughts,
    without_thoughts,
)
from inference.servers.body import completion_body
from inference.servers.chunks import Chunk, Usage
from inference.servers.client import LAST_USAGE_SECONDS
from inference.servers.errors import Broken, Busy, KeyRefused, Refused, ServerError
from inference.servers.pool import ServerPool
from inference.servers.replicas import Replica
from inference.servers.reply import CHARACTERS_PER_TOKEN, Continuation, ReplyText
from inference.servers.tool_calls import ToolCalls
from inference.text.alternate import alternate, separate
from inference.text.prompt import LEAST_ANSWER, Fitted, TooLong, continues_answer, fit_turns

LENGTH_FINISHES = {"length", "max_tokens"}
FILTER_FINISHES = {"content_filter"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tells how a reply ended. The tokens are those that the server counts, or estimates.

    `completion_tokens` None: as many as there are pieces.
    """

    reason: Reason
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int | None = None
    is_estimated: bool = False
    prefill_ms: int = 0
    decode_ms: int = 0
    left_out: int = 0  # turns that did not fit
    thoughts: int = 0  # steps whose thoughts were sent
    is_given_back: bool = False  # it has not ended: it waits for its next attempt


class _Ends(Exception):
    """`broke_off`: the server did, and the reply is given back if that helps."""

    def __init__(self, reason: Reason, error: str = "", *, broke_off: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.error, self.broke_off = reason, error, broke_off


class Answering:
    """One reply. `emit` gets each piece; `logged` are those of earlier attempts."""

    def __init__(
        self,
        request: GenerationRequest,
        pool: ServerPool,
        emit: Callable[[Piece], None],
        *,
        logged: Sequence[Piece] = (),
        is_background: bool = False,
    ) -> None:
        self._request, self._pool, self._emit = request, pool, emit
        self._reply = ReplyText(request, logged)
        self._is_background = is_background
        self._failed: list[Replica] = []
        self._halvings = 0  # how often the context was halved, because the server found the prompt too long
        self._messages: list[dict[str, Any]] = []  # as sent last
        self._left_out = 0  # turns
        self._usage: Usage | None = None  # of the last stream
        self._most_tokens = 0  # that the last stream was allowed
        self._streams = 0  # so far: each has a name of its own, as a server may still hold the last one's
        self._logged = self._reply.received  # chunks of earlier attempts
        self._before = self._logged  # chunks before the last stream
        self._characters = 0  # of the last stream
        self._finish = ""
        self._calls = ToolCalls()  # of the last stream
        self._started = time.monotonic()
        self._first = 0.0  # time.monotonic() of the first chunk

    @property
    def seq(self) -> int:
        return self._reply.seq

    async def run(self) -> Outcome:
        try:
            while True:
                await self._try_once()
        except _Ends as end:
            if end.broke_off and await self._may_be_given_back():
                return Outcome(end.reason, end.error, is_given_back=True)
            return self._outcome(end.reason, end.error)
        except TooLong:
            return self._outcome(Reason.FAILED, ErrorCode.TOO_LONG)

    async def _may_be_given_back(self) -> bool:
        """Returns whether a reply that broke off waits for its next attempt.

        It then goes on from its text when a server is there again, or, where none can do that, starts again.
        The first is bounded by the reply's length, as it must have grown, the second by the number of runs.
        """
        if self._is_background or not self._reply.received:
            return False
        await self._pool.check(set(self._failed))  # the worker must not claim it for a server that is gone
        if self._pool.capabilities.resume is Resume.PREFIX and self._reply.is_in_answer:
            return bool(self._pool.problem) and self._reply.received > self._logged
        return self._request.run < MOST_RESTARTS

    def stopped(self) -> Outcome:
        """Returns the outcome of a reply whose run() was cancelled because a person stopped it."""
        return self._outcome(Reason.STOPPED)

    async def _try_once(self) -> None:
        """Asks one server; returns if another try may help, else raises _Ends or TooLong."""
        if self._is_full:
            raise _Ends(Reason.LENGTH)  # an earlier attempt logged all that it may have
        replica = self._choose()
        received = self._reply.received
        replica.load += 1
        try:
            await self._stream(replica)
        except Refused as error:
            if not error.too_long or self._reply.received > received:
                raise _Ends(Reason.FAILED, ErrorCode.SERVER_REFUSED) from None
            self._halvings += 1
        except ServerError as error:
            self._pool.note_failure(replica, error, self._request.generation_id)
            self._failed.append(replica)
            await self._wait(error)
        finally:
            replica.load -= 1

    def _choose(self) -> Replica:
        replica = self._pool.replicas.choose(self._request.cache_key, avoid=self._failed)
        if replica is None:
            code = ErrorCode.SERVER_CUT if self._reply.received else self._pool.problem
            raise _Ends(Reason.FAILED, code, broke_off=True)
        can_continue = replica.accepted.prefix and self._reply.is_in_answer
        if self._reply.received and not can_continue:
            raise _Ends(Reason.FAILED, ErrorCode.SERVER_CUT, broke_off=True)
        return replica

    async def _wait(self, error: ServerError) -> None:
        """Waits before the next try; raises _Ends if there is none."""
        backoff = self._pool.timeouts.backoff
        if not error.may_retry or len(self._failed) > len(backoff):
            raise _Ends(Reason.FAILED, self._code(error), broke_off=True) from None
        pause = backoff[len(self._failed) - 1]
        await asyncio.sleep(pause if error.retry_after is None else error.retry_after)

    def _code(self, error: ServerError) -> str:
        if self._reply.received:
            return ErrorCode.SERVER_CUT
        if isinstance(error, KeyRefused):
            return ErrorCode.SERVER_KEY
        if isinstance(error, Busy):
            return ErrorCode.SERVER_BUSY
        return ErrorCode.SERVER_BROKEN if isinstance(error, Broken) else ErrorCode.SERVER_UNAVAILABLE

    # --- One stream ---------------------------------------------------------------------------------------

    async def _stream(self, replica: Replica) -> None:
        """Reads one stream to its end; always raises."""
        joined = Continuation(self._reply.so_far())
        room = self._fit(joined.sent, with_thoughts=bool(replica.accepted.thoughts))
        self._usage, self._before = None, self._reply.received
        self._most_tokens = min(room, self._reply.left)
        self._streams += 1
        name = f"{self._request.generation_id}-{self._request.attempt}-{self._streams}"
        body = completion_body(
            self._request,
            self._messages,
            model=self._pool.model,
            max_tokens=self._most_tokens,
            accepted=replica.accepted,
            request_id=name,
            background=self._is_background,
        )
        self._finish, self._characters, self._calls = "", 0, ToolCalls()
        async with contextlib.aclosing(replica.server.complete(body, request_id=name)) as chunks:
            await self._read(chunks, joined)
        replica.succeeded()
        if usage := self._plausible_usage():
            self._pool.learn(self._messages, usage.prompt_tokens)
        if self._finish in FILTER_FINISHES:
            raise _Ends(Reason.FAILED, ErrorCode.SERVER_FILTERED)
        if self._finish in LENGTH_FINISHES:
            raise _Ends(Reason.LENGTH)  # the last call would not be whole
        lines = self._calls.lines() if self._request.tools and self._request.may_call else []
        for line in lines:
            self._push(Kind.CALL, line)
        raise _Ends(Reason.CALLS if lines else Reason.STOP)

    def _fit(self, said: str, *, with_thoughts: bool) -> int:
        """Sets the messages that fit, with `said` as the answer to continue; returns the room left."""
        messages = separate(list(self._request.messages))
        if said:
            before = messages.pop()["content"] if continues_answer(messages) else ""
            messages.append({"role": "assistant", "content": before + said})
        context = self._request.context_within(self._pool.context) >> self._halvings
        if self._halvings and context < 2 * LEAST_ANSWER:
            raise TooLong("the server refuses even the last message alone")
        fitted = self._fit_into(context, messages, with_thoughts=with_thoughts and not self._halvings)
        self._messages = alternate(fitted.messages)
        self._left_out = fitted.left_out
        return fitted.max_new

    def _fit_into(self, context: int, messages: list[dict[str, Any]], *, with_thoughts: bool) -> Fitted:
        """Fits the messages with what earlier steps thought, or without where that is too long."""
        most = self._request.max_new_tokens
        if with_thoughts:
            with contextlib.suppress(TooLong):
                return fit_turns(messages, self._pool.estimate, context=context, max_new_tokens=most)
        said = without_thoughts(messages)
        return fit_turns(said, self._pool.estimate, context=context, max_new_tokens=most)

    async def _read(self, chunks: AsyncIterator[Chunk], joined: Continuation) -> None:
        """Reads to the server's end; a reply at its limit waits a moment for that, as it brings the usage."""
        try:
            async with asyncio.timeout(None) as limit:
                async for chunk in chunks:
                    self._note(chunk)
                    if chunk.thought:
                        self._push(Kind.THOUGHT, chunk.thought)
                    if text := joined.join(chunk.text) if chunk.text else "":
                        self._push(Kind.TEXT, text)
                    if self._is_full and limit.when() is None:
                        limit.reschedule(asyncio.get_running_loop().time() + LAST_USAGE_SECONDS)
        except (TimeoutError, ServerError):
            if not self._is_full:
                raise
            raise _Ends(Reason.LENGTH) from None

    @property
    def _is_full(self) -> bool:
        return self._reply.left <= 0

    def _note(self, chunk: Chunk) -> None:
        self._usage = chunk.usage or self._usage
        self._finish = chunk.finish or self._finish
        self._calls.add(chunk.calls)
        self._characters += len(chunk.thought) + len(chunk.text)
        if not self._first and (chunk.text or chunk.thought or chunk.calls):
            self._first = time.monotonic()

    def _push(self, kind: Kind, text: str) -> None:
        if self._is_full:
            raise _Ends(Reason.LENGTH)
        reason = self._reply.push(kind, text)
        if reason is not None and not (reason is Reason.LENGTH and self._is_full):
            raise _Ends(reason)
        self._take()

    def _take(self) -> None:
        for piece in self._reply.take():
            self._emit(piece)

    # --- The end ------------------------------------------------------------------------------------------

    def _outcome(self, reason: Reason, error: str = "") -> Outcome:
        reason, rule = self._reply.finish(reason)
        self._take()
        now = time.monotonic()
        first = self._first or now
        prompt, completion, is_estimated = self._tokens()
        return Outcome(
            reason,
            rule or error,
            prompt_tokens=prompt,
            completion_tokens=completion,
            is_estimated=is_estimated,
            left_out=self._left_out,
            thoughts=count_thoughts(self._messages),
            prefill_ms=round((first - self._started) * 1000),
            decode_ms=round((now - first) * 1000),
        )

    def _tokens(self) -> tuple[int, int | None, bool]:
        """Returns the tokens of prompt and answer, and whether they are estimates.

        The usage of a stream that continued a reply counts the text before it as prompt; the count of
        that text was lost with the stream that was cut.
        """
        usage = self._plausible_usage()
        if usage is None:
            return max(self._pool.estimate(self._messages) - self._before, 0), None, bool(self._messages)
        if not self._before:
            return usage.prompt_tokens, usage.completion_tokens, False
        prompt = max(usage.prompt_tokens - self._before, 0)
        return prompt, self._before + usage.completion_tokens, True

    def _plausible_usage(self) -> Usage | None:
        """Returns the usage of the last stream, None if there is none or it cannot be true."""
        usage = self._usage
        if usage is None:
            return None
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        has_tokens = self._reply.received > self._before
        fits_text = completion * CHARACTERS_PER_TOKEN >= self._characters
        is_prompt = 0 < prompt <= 2 * self._pool.context  # what was sent fits by an estimate only
        return usage if is_prompt and has_tokens <= completion <= self._most_tokens and fits_text else None
