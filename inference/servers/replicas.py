"""Chooses the replica for a conversation, and stops using one that fails.

A server keeps the beginnings of conversations in its cache, so the next turn goes to the replica that had the
last one, unless that is much busier than the least busy. A conversation that is new here goes to the one
with the highest hash (rendezvous hashing), so that several workers agree without talking to each other.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from inference.servers.body import Accepted
from inference.servers.client import Server
from inference.servers.errors import KeyRefused, ServerError, Unreachable

BUSIER_FACTOR = 1.5
BUSIER_EXTRA = 2  # requests: with few, a factor alone would move a conversation for nothing
FAILURES_TO_OPEN = 3  # in a row; one refused connection is enough
REMEMBERED = 20_000  # conversations


@dataclass(eq=False)
class Replica:
    """A server and its state. `problem`: "" while it is used, else the ErrorCode to show."""

    server: Server
    load: int = 0  # requests under way
    failures: int = 0
    problem: str = ""
    probed: bool = False
    accepted: Accepted = field(default_factory=Accepted)
    context: int = 0  # tokens; 0 unknown
    kind: str = ""  # "vllm", "llama.cpp", …: for people, never for decisions

    def succeeded(self) -> None:
        self.failures, self.problem = 0, ""

    def failed(self, error: ServerError) -> None:
        """Counts a failure; after enough of them the replica rests until a probe finds it well."""
        if not error.is_servers_fault:
            return
        self.failures += 1
        if isinstance(error, KeyRefused):
            self.problem = "server_key"
        elif isinstance(error, Unreachable) or self.failures >= FAILURES_TO_OPEN:
            self.problem = "server_unavailable"


class Replicas:
    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.all = tuple(replicas)
        self._holders: OrderedDict[str, Replica] = OrderedDict()

    @property
    def problem(self) -> str:
        """Returns why none can be used, "" if one can; a refused key only if it is refused everywhere."""
        problems = {each.problem for each in self.all}
        if "" in problems:
            return ""
        return problems.pop() if len(problems) == 1 else "server_unavailable"

    def choose(self, conversation: str, *, avoid: Collection[Replica] = ()) -> Replica | None:
        """Returns the replica for the next request of `conversation`; None if none can be used.

        `avoid`: those that have just failed this request; one of them is better than none.
        """
        usable = [each for each in self.all if not each.problem]
        if not usable:
            return None
        usable = [each for each in usable if each not in avoid] or usable
        least = min(usable, key=lambda each: (each.load, -_rank(conversation, each)))
        holder = self._holders.get(conversation) if conversation else None
        if holder is None and conversation:
            holder = max(usable, key=lambda each: _rank(conversation, each))
        if holder not in usable or _is_busier(holder, least):
            holder = least
        self._remember(conversation, holder)
        return holder

    def _remember(self, conversation: str, replica: Replica) -> None:
        if conversation:
            self._holders[conversation] = replica
            self._holders.move_to_end(conversation)
            if len(self._holders) > REMEMBERED:
                self._holders.popitem(last=False)


def _is_busier(one: Replica, least: Replica) -> bool:
    return one.load > least.load * BUSIER_FACTOR + BUSIER_EXTRA


def _rank(conversation: str, replica: Replica) -> int:
    digest = hashlib.blake2b(f"{conversation}\0{replica.server.base}".encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big")
