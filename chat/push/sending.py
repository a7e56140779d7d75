"""Sends one encrypted message to the push service of one browser, through the guarded client.

The address comes from a browser, so it may lead anywhere: only https, no redirects, little time, and next to
nothing is read of the answer.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from chat.push.encryption import authorization, encrypt
from inference.base.outbound import Client, Limits, OutboundError, Policy, Refused
from inference.base.outbound.addresses import parse_url

logger = logging.getLogger("grokweb.push")

LIMITS = Limits(
    connect_seconds=4,
    silent_seconds=5,
    total_seconds=8,
    header_bytes=16 * 1024,
    body_bytes=16 * 1024,
    decoded_bytes=16 * 1024,
)
KEPT_SECONDS = 3600  # that a service keeps the message for a browser that is off
PADDED = 512  # bytes of each message, so that its length tells nothing
GONE = frozenset({404, 410})
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Address:
    """Says where and how to notify one browser."""

    device: int
    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tells how one try ended. `may_pass`: another try can help, after `wait` seconds at the earliest."""

    is_sent: bool = False
    is_gone: bool = False
    may_pass: bool = False
    wait: int = 0


def send(address: Address, message: bytes) -> Outcome:
    """Sends it and returns how that ended. Never raises an OutboundError."""
    try:
        target = parse_url(address.endpoint)
        if not target.secure:
            raise Refused("plain_http")
        headers = {
            "Authorization": authorization(
                settings.PUSH_KEY, f"{target.scheme}://{target.authority}", settings.PUSH_CONTACT
            ),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEPT_SECONDS),
            "Urgency": "normal",
        }
        body = encrypt(message, address.p256dh, address.auth, length=PADDED)
        client = Client(Policy("push", settings.PUSH_LISTED, LIMITS, tls=settings.PUSH_TLS, plain_http=False))
        with client.open("POST", address.endpoint, headers, body) as answer:
            status, asked = answer.status, answer.headers.get("retry-after", "")
            with suppress(OutboundError):
                answer.read()  # so that it counts as complete; it says nothing that is needed
    except OutboundError as error:
        logger.info("a notification was not sent", extra={"device": address.device, "why": error.reason})
        return Outcome(may_pass=not isinstance(error, Refused))
    return _outcome(address.device, status, asked)


def _outcome(device: int, status: int, asked: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome(is_sent=True)
    logger.info("a push service refused a notification", extra={"device": device, "status": status})
    wait = int(asked) if asked.isdecimal() and len(asked) < 7 else 0
    return Outcome(is_gone=status in GONE, may_pass=status in BUSY, wait=wait)
