"""Defines the data that cross between `chat` and `inference`: frozen dataclasses, standard library only.

`chat` builds a GenerationRequest and later reads the token log. Inference never learns whose conversation it
serves: `user_key` and `cache_key` are opaque HMACs, made in chat/turns/requests.py.

Versions: the web process and the workers are not replaced at the same moment, so whoever reads a request or a
log entry ignores fields that it does not know. A field without which a reply would be wrong is declared with
`since(VERSION)`; a request that uses it is handed to no worker that announces an older version.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

# Celery names that both sides must agree on. They are strings so that neither side imports the other.
SERVE_TASK = "inference.serve"
FINISH_TASK = "chat.finish_generation"
RETURNED_TASK = "chat.worker_returned"
TITLE_TASK = "chat.title_made"
CHAT_QUEUE = "chat"
JOBS_QUEUE = "jobs"
TOOLS_QUEUE = "tools"

SEED_LIMIT = 2**63
LOGPROBS_LIMIT = 20
MOST_RESTARTS = 2  # of a reply whose server broke off and cannot continue it; then its text so far stays
IMAGE_PATCH = 28  # pixels: models that are common today read a square of so many a side as a token
EFFORTS = ("off", "low", "medium", "high")  # how much a model may think, least first

# Workers announce it with their heartbeat (inference/wire/queue.py). Raise it with each field that needs it.
# 1: workers that announce none. 2: unknown fields of requests and log entries are ignored. 3: runs.
# 4: tools, effort of thinking, thoughts that are continued. 5: images, context limit.
CONTRACT_VERSION = 5


def since(version: int) -> dict[str, int]:
    """Returns the metadata of a field that workers know from a contract version on; it needs a default."""
    return {"since": version}


def known_fields(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the items of `data` that a dataclass has fields for."""
    names = {each.name for each in dataclasses.fields(kind)}
    return {name: value for name, value in data.items() if name in names}


def is_default(instance: Any, each: dataclasses.Field[Any]) -> bool:
    """Returns whether a field has its default; one made by a factory is never equal to it."""
    return bool(getattr(instance, each.name) == each.default)


def tokens_of_image(width: int, height: int) -> int:
    """Estimates the tokens of an image; both sides plan with it, and the charge is what a server counts."""
    return math.ceil(width / IMAGE_PATCH) * math.ceil(height / IMAGE_PATCH)


def without_thoughts(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages of a request without what steps thought before they called tools."""
    return [{name: value for name, value in each.items() if name != "thought"} for each in messages]


def count_thoughts(messages: Sequence[Mapping[str, Any]]) -> int:
    """Returns how many steps have their thoughts in the messages."""
    return sum(bool(each.get("thought")) for each in messages)


def model_queue(slug: str) -> str:
    """Returns the name of the Celery queue whose workers run the model `slug`."""
    return f"model.{slug}"


class Reason(StrEnum):
    """Says why a generation ended. Chat translates reasons and error codes for users."""

    STOP = "stop"  # the model ended its turn, or a stop string matched
    LENGTH = "length"  # max_new_tokens reached
    CALLS = "calls"  # the step calls tools: the reply goes on with their results (docs/live-path.md)
    STOPPED = "stopped"  # the user asked
    REFUSED = "refused"  # a reply rule matched
    FAILED = "failed"  # see Ended.error


class ErrorCode(StrEnum):
    """Lists the codes of Ended.error, which workers, reconcile and the checks between two steps write."""

    TOO_LONG = "too_long"  # the last message alone exceeds the context
    POISON = "poison"  # two unexplained deaths of a worker while this ran
    NO_WORKER = "no_worker"  # no worker of the model was seen for GROKWEB_QUEUE_TIMEOUT
    NAN = "nan_logits"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE = "engine_error"
    # From engines whose model is on a server of its own:
    SERVER_UNAVAILABLE = "server_unavailable"  # no connection, or silence
    SERVER_BUSY = "server_busy"
    SERVER_BROKEN = "server_broken"  # an answer that cannot be used
    SERVER_CUT = "server_cut"  # the answer broke off, and the server cannot continue it
    SERVER_REFUSED = "server_refused"  # it does not accept this request
    SERVER_KEY = "server_key"  # it does not accept the operator's key
    SERVER_FILTERED = "server_filtered"  # its own filter ended the answer
    # Between two steps of a reply, by chat:
    QUOTA = "quota_exceeded"  # nothing is left of the person's day


class Resume(StrEnum):
    """Lists the ways in which an engine continues a reply that an earlier attempt began."""

    EXACT = "exact"  # from its token ids: nothing differs from an undisturbed reply
    PREFIX = "prefix"  # from its text, within text of the answer; what follows may differ
    RESTART = "restart"  # not at all: the reply starts again


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Says what an engine can do with its model. Chat decides by this, never by an engine's name."""

    resume: Resume = Resume.EXACT
    reasoning: bool = False  # it writes thoughts
    efforts: tuple[str, ...] = ()  # those of EFFORTS that can be asked for; empty: it cannot be chosen
    tools: bool = False  # it writes calls
    images: bool = False
    grammar: bool = False
    logprobs: bool = False
    prefix_cache: bool = False  # the beginning of a conversation is computed once
    batched: bool = True  # the next tokens of several replies are computed in one pass

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, raw: str) -> Self:
        """Returns what an older or newer worker announced. Raises ValueError for something else."""
        data = json.loads(raw)
        if not isinstance(data, dict):
            raise ValueError("capabilities are not an object")
        known = known_fields(cls, data)
        if "resume" in known:
            known["resume"] = Resume(known["resume"])
        if "efforts" in known:
            known["efforts"] = tuple(str(effort) for effort in known["efforts"])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Parameters for choosing the next token. temperature 0 is greedy; top_k 0, top_p 1 and min_p 0 are off.

    Penalties, off by default, come first of all: `repetition` divides the logits above 0 of tokens that
    occurred in prompt or answer and multiplies those below (Keskar et al. 2019); `presence` is taken once,
    and `frequency` for each time, from the logits of tokens in the answer (as in OpenAI's interface).
    """

    temperature: float = 0.7
    top_k: int = 0
    top_p: float = 0.95
    min_p: float = 0.0
    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= 5.0:
            raise ValueError(f"temperature {self.temperature} is not between 0 and 5")
        if self.top_k < 0:
            raise ValueError(f"top_k {self.top_k} is negative")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p {self.top_p} is not above 0 and at most 1")
        if not 0.0 <= self.min_p <= 1.0:
            raise ValueError(f"min_p {self.min_p} is not between 0 and 1")
        if not 0.1 <= self.repetition <= 10.0:
            raise ValueError(f"repetition {self.repetition} is not between 0.1 and 10")
        for name in ("presence", "frequency"):
            if not -2.0 <= getattr(self, name) <= 2.0:
                raise ValueError(f"{name} {getattr(self, name)} is not between -2 and 2")

    @property
    def penalises(self) -> bool:
        return (self.repetition, self.presence, self.frequency) != (1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """Holds a pattern (RE2 syntax) that ends a reply when it matches; Ended.error is then `rule_id`."""

    rule_id: str
    pattern: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Asks for one reply. `attempt` is the fence: the token log refuses writes from an older attempt."""

    generation_id: str
    attempt: int
    model: str
    # {"role": "system"|"user"|"assistant", "content": str}, oldest first, in the order of
    # inference/text/alternate.py (a question may have "parts" there); an answer at the end is continued.
    # "pinned": True marks messages whose turn stays when others are left out; older workers ignore it.
    # A question may have "images" there: {"id", "width", "height"}, whose bytes are in `images`.
    # After the last question, steps that called tools: {"role": "assistant", "content", "calls": [{"id",
    # "name", "arguments" (JSON text)}], "thought" (what it thought, if anything)}, each followed by its
    # results: {"role": "tool", "call", "name", "content"}
    messages: tuple[dict[str, Any], ...]
    max_new_tokens: int
    seed: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    user_key: str = ""  # opaque: the user whose turn in the fair queue this request takes
    cache_key: str = ""  # opaque: the conversation whose cached KV prefix may serve it
    weight: float = 1.0  # fairness weight of the user
    running_limit: int = 2  # replies of the user that may run at once
    estimate: int = 0  # tokens, prompt and answer: charged to the user's virtual time at claim
    strikes: int = 0  # unexplained worker deaths so far
    rules: tuple[ReplyRule, ...] = ()
    hold_back: int = 0  # characters withheld so that no part of a rule's match is shown
    title: bool = False  # whether the conversation may get one from the model (inference/worker/titles.py)
    # Nobody waits for it: a model's server may serve replies first.
    background: bool = field(default=False, metadata=since(2))
    logprobs: int | None = None  # with each token its log-probability, and those of this many likeliest
    # Raised with `attempt` when the text starts again with other words; Redis then empties the log.
    run: int = field(default=0, metadata=since(3))
    # Tools that the model may call: {"name", "description", "parameters" (JSON schema)}
    tools: tuple[dict[str, Any], ...] = field(default=(), metadata=since(4))
    may_call: bool = field(default=True, metadata=since(4))  # False: it has to answer now
    effort: str = field(default="", metadata=since(4))  # one of EFFORTS; "": as the model does by itself
    thought: str = field(default="", metadata=since(4))  # the unfinished thought with which the answer begins
    # {"id", "type": "jpeg" or "png", "data": base64}, those that the messages name
    images: tuple[dict[str, str], ...] = field(default=(), metadata=since(5))
    # Tokens of prompt and answer, if that is less than the engine's context; 0: none
    context_limit: int = field(default=0, metadata=since(5))

    def __post_init__(self) -> None:
        if self.attempt < 1:
            raise ValueError(f"attempt {self.attempt} is below 1")
        if self.run < 0:
            raise ValueError(f"run {self.run} is negative")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens {self.max_new_tokens} is below 1")
        if self.context_limit < 0:
            raise ValueError(f"context_limit {self.context_limit} is negative")
        if not 0 <= self.seed < SEED_LIMIT:
            raise ValueError(f"seed {self.seed} is not in [0, 2**63)")
        if not self.messages:
            raise ValueError("a request needs at least one message")
        if self.weight <= 0:
            raise ValueError(f"weight {self.weight} is not above 0")
        if self.logprobs is not None and not 0 <= self.logprobs <= LOGPROBS_LIMIT:
            raise ValueError(f"logprobs {self.logprobs} is not between 0 and {LOGPROBS_LIMIT}")
        if self.effort and self.effort not in EFFORTS:
            raise ValueError(f"effort {self.effort!r} is none of {', '.join(EFFORTS)}")
        if self.running_limit < 1:
            raise ValueError(f"running_limit {self.running_limit} is below 1")

    def context_within(self, context: int) -> int:
        """Returns how many tokens prompt and answer may have in an engine of this context."""
        return min(context, self.context_limit or context)

    @property
    def required_version(self) -> int:
        """Returns the lowest contract version whose workers can serve this request."""
        return max(self._later_fields().values(), default=1)

    def _later_fields(self, *, used: bool = True) -> dict[str, int]:
        """Returns version by name of the fields that came after version 1 and are used, or are not."""
        return {
            each.name: each.metadata["since"]
            for each in dataclasses.fields(self)
            if "since" in each.metadata and is_default(self, each) is not used
        }

    def to_json(self) -> str:
        """Returns the request without later fields that it does not use: version 1 knew no other fields."""
        data = dataclasses.asdict(self)
        for name in self._later_fields(used=False):
            del data[name]
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, raw: str | bytes) -> Self:
        """Returns a request that an older or newer version may have written."""
        data = known_fields(cls, json.loads(raw))
        data["messages"] = tuple(data["messages"])
        data["stop"] = tuple(data.get("stop", ()))
        data["tools"] = tuple(data.get("tools", ()))
        data["images"] = tuple(data.get("images", ()))
        data["sampling"] = Sampling(**known_fields(Sampling, data.get("sampling", {})))
        data["rules"] = tuple(ReplyRule(**known_fields(ReplyRule, rule)) for rule in data.get("rules", ()))
        return cls(**data)


class Kind(StrEnum):
    """Lists the kinds of what a model writes. Chat shows, stores and uses each in its own way."""

    TEXT = "text"  # of the answer
    THOUGHT = "thought"  # reasoning, kept apart from the answer
    CALL = "call"  # of tools: one JSON object per line, {"id": …, "name": …, "arguments": {…}}

    @classmethod
    def read(cls, name: str) -> Kind:
        """Returns the kind of a log entry. One that a newer version added stays out of the answer's text."""
        try:
            return cls(name)
        except ValueError:
            return cls.THOUGHT


@dataclass(frozen=True, slots=True)
class Score:
    """Holds log-probabilities (natural) of a token and its rivals, before any sampling parameter."""

    logprob: float
    top: tuple[tuple[int, float], ...] = ()  # (token id, log-probability), likeliest first


@dataclass(frozen=True, slots=True)
class Piece:
    """Holds the generated tokens numbered after+1 ... seq, and the text that exactly these tokens decode to.

    Engines make pieces, the token log stores them, and pages receive their text. `seq` counts generated
    tokens of all kinds; the end-of-turn token is not counted and never logged.
    """

    after: int
    seq: int
    text: str
    ids: tuple[int, ...]  # seq - after of them; none in a piece on its way to a page
    scores: tuple[Score, ...] = ()  # one for each id if the request asked for logprobs
    kind: Kind = Kind.TEXT  # of all of its tokens
    run: int = 0  # of the log that it was read from
    duration_ms: int = 0  # of a thought: since the piece before it, by the clock of its worker


@dataclass(frozen=True, slots=True)
class Delta:
    """Reports the next piece of one generation; an event of an engine."""

    generation_id: str
    attempt: int
    piece: Piece


@dataclass(frozen=True, slots=True)
class Ended:
    """The only terminal event of a generation. It follows the Delta that brought the log to `seq`."""

    generation_id: str
    attempt: int
    seq: int
    reason: Reason
    error: str = ""  # an ErrorCode, or the rule id for REFUSED
    prompt_tokens: int = 0
    fingerprint: str = ""  # engine: manifest, back end, precision
    prefill_ms: int = 0
    decode_ms: int = 0
    # What to charge where a model's server counts tokens, and pieces are no measure; None: `seq`.
    completion_tokens: int | None = None
    estimated: bool = False  # the counts are estimates: the server reported none, or impossible ones
    left_out: int = 0  # the oldest turns of the prompt that did not fit into the context
    # Earlier steps of the reply whose thoughts were part of the prompt; None: not reported
    thoughts: int | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Ends an engine's work on a generation whose server left it: the reply waits for its next attempt.

    It follows the Delta that brought the log to `seq`.
    """

    generation_id: str
    attempt: int
    seq: int


Event = Delta | Ended | GivenBack
