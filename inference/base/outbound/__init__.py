"""The guarded client: everything that leaves this machine goes through it (docs/security.md).

`inference.outbound` has adapters that give the same protection to libraries with a client of their own.
"""

from inference.base.outbound.answer import Answer
from inference.base.outbound.client import Client
from inference.base.outbound.counting import OUTCOMES, count_with
from inference.base.outbound.errors import BadAnswer, LimitExceeded, OutboundError, Refused, Unreachable
from inference.base.outbound.policy import PURPOSES, Limits, Listed, Policy, Purpose

__all__ = [
    "OUTCOMES",
    "PURPOSES",
    "Answer",
    "BadAnswer",
    "Client",
    "LimitExceeded",
    "Limits",
    "Listed",
    "OutboundError",
    "Policy",
    "Purpose",
    "Refused",
    "Unreachable",
    "count_with",
]
