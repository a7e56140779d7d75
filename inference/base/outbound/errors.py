"""Errors of requests to other machines. No message contains an address, a header or a part of a body."""

from __future__ import annotations

from inference.base.lines import english

REASONS: dict[str, str] = {
    # Refused: the address
    "url_too_long": "the address is longer than 8,192 characters",
    "characters": "the address contains spaces, control or invisible characters, or a backslash",
    "scheme": "the address does not begin with http:// or https://",
    "user_info": "the address contains a user name or a password",
    "port": "the port is not a plain number between 1 and 65535",
    "blocked_port": "the port belongs to another protocol than HTTP",
    "host": "the host is not a name, an IPv4 address or an IPv6 address in brackets",
    "idna": "the host name has letters that are read in more than one way: write it in its xn-- form",
    "unusual_ipv4": "the host is a number: write an IPv4 address as four plain decimal numbers",
    "zone": "the IPv6 address names a network interface",
    "local_name": english(
        "the name belongs to this machine or a local network, and the operator has not listed it"
    ),
    "loopback": english("the address is this machine, and the operator has not listed it"),
    "private": english("the address is in a private network, and the operator has not listed it"),
    "link_local": english("the address is in the local link, and the operator has not listed it"),
    "shared": "the address is a provider's shared address, and the operator has not listed it",
    "benchmark": "the address is for measurements, and the operator has not listed it",
    "metadata": "the address serves a cloud's metadata",
    "unspecified": "the address means no particular machine",
    "multicast": "the address is that of many machines",
    "documentation": "the address is for documentation only",
    "reserved": "the address is reserved",
    "tunnel": "the address contains another one that a tunnel would reach",
    "plain_http": "the address is public, and http:// is not encrypted",
    # Refused: the request or a redirect
    "method": "the method is not one that a client sends",
    "header": "a header cannot be sent: the client sets it itself, or it contains a line break",
    "redirect": "the server answered with a redirect, which is not followed here",
    "too_many_redirects": "the server redirected too often",
    "downgrade": "the server redirected from https to http",
    "redirect_with_body": "the server redirected a request with a body to another server",
    # Limits
    "headers_too_large": "the headers of the answer are larger than allowed",
    "body_too_large": "the answer is larger than allowed",
    "decoded_too_large": "the decompressed answer is larger than allowed",
    "silence": english("the server sent nothing for longer than allowed"),
    "total_time": "the whole request took longer than allowed",
    # Unreachable
    "lookup": english("the name of the server has no address"),
    "connect": english("no connection to the server"),
    "certificate": english("the server's certificate is not valid for its name"),
    "tls": english("no encrypted connection to the server"),
    # Bad answers
    "malformed": "the answer is not well-formed HTTP",
    "cut": "the answer ended before its end",
    "encoding": "the answer is compressed in a way that is not allowed, or wrongly",
    "content_type": "the answer has a type that is not allowed",
    "closed": "the answer was closed before its end",
}


class OutboundError(Exception):
    """A request to another machine failed; `reason` is a key of REASONS, `outcome` what is counted."""

    outcome = "failed"

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.reason = reason


class Refused(OutboundError):
    """The request, or a redirect, is not allowed. Nothing was sent to the refused address."""

    outcome = "refused"


class LimitExceeded(OutboundError):
    """The answer was too large or too slow."""

    outcome = "limit"


class Unreachable(OutboundError):
    """No connection could be made."""

    outcome = "unreachable"


class BadAnswer(OutboundError):
    """The answer breaks the protocol, or what the policy asks of it."""

    outcome = "bad_answer"
