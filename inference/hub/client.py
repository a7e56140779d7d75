"""Asks a Hugging Face hub, through the guarded transport alone.

The hub's own library makes the requests for facts; its files are streamed through a client of the same kind.
Xet, telemetry, and tokens that lie in a home directory are switched off.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx2

from inference import settings
from inference.base.lines import english, line_of
from inference.base.outbound import BadAnswer, Limits, Listed, OutboundError, Policy, Refused, Unreachable
from inference.hub.files import RemoteFile
from inference.hub.names import HubName
from inference.model_dir.headers import ModelUnusable
from inference.outbound.httpx_exchange import GuardError
from inference.outbound.httpx_transport import GuardedTransport

# Before huggingface_hub is imported: it reads them once.
OFF = ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_IMPLICIT_TOKEN")
os.environ.update(dict.fromkeys(OFF, "1"))  # Xet has a client of its own, which no guard sees

Answer = TypeVar("Answer")
FACTS = Limits(silent_seconds=30, total_seconds=120, body_bytes=64 * 2**20, decoded_bytes=64 * 2**20)
# What is received of a file is counted by transfer.py, which knows how much it may be.
FILE = Limits(silent_seconds=60, total_seconds=None, body_bytes=None, decoded_bytes=None)
TRIES = 6
LONGEST_WAIT = 300.0  # seconds that a hub may ask us to wait
AGAIN_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Licence:
    """A model's licence as its card names it; any field may be empty."""

    identifier: str = ""  # such as "apache-2.0", or "other"
    title: str = ""  # of another licence
    link: str = ""

    def __str__(self) -> str:
        name = self.title if self.identifier in ("", "other") and self.title else self.identifier
        return " ".join(filter(None, [name or "not stated", f"({self.link})" if self.link else ""]))


@dataclass(frozen=True, slots=True)
class Repository:
    """One commit of a repository, as the hub describes it."""

    repo: str  # its name today: repositories are renamed
    commit: str
    licence: Licence
    is_gated: bool
    files: dict[str, RemoteFile]


class StatusError(Exception):
    """The hub answered with a status that is no success. `code`: its X-Error-Code."""

    def __init__(self, status: int, code: str = "", retry_after: str = "") -> None:
        super().__init__(str(status))
        self.status, self.code, self.retry_after = status, code, retry_after

    @classmethod
    def of(cls, answer: httpx2.Response) -> StatusError:
        headers = answer.headers
        return cls(answer.status_code, headers.get("x-error-code", ""), headers.get("retry-after", ""))


class RevisionGone(ModelUnusable):
    """The hub has the repository, but not this revision of it."""


class Hub:
    """One hub, asked for one model. Messages name the model, and never the token."""

    def __init__(
        self,
        name: HubName,
        *,
        endpoint: str,
        token: str = "",
        listed: Listed | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self.endpoint, self._token, self._sleep = name, checked_endpoint(endpoint), token, sleep
        self._listed = (listed or Listed()).with_url(self.endpoint)
        self._files = self._client(FILE)

    @property
    def page(self) -> str:
        return f"{self.endpoint}/{self.name.repo}"

    @property
    def has_token(self) -> bool:
        return bool(self._token)

    def close(self) -> None:
        self._files.close()

    def repository(self, revision: str) -> Repository:
        """Returns what the hub says of a revision ("": its main one); raises ModelUnusable."""
        import huggingface_hub
        from huggingface_hub import constants
        from huggingface_hub.errors import HfHubHTTPError

        constants.HF_HUB_DISABLE_TELEMETRY = True  # another module may have imported the library before
        huggingface_hub.set_client_factory(lambda: self._client(FACTS))
        api = huggingface_hub.HfApi(endpoint=self.endpoint, token=self._token or False)

        def ask() -> Repository:
            try:
                found = api.model_info(self.name.repo, revision=revision or None, files_metadata=True)
            except HfHubHTTPError as error:
                raise StatusError.of(error.response) from None
            return _repository(found, self.name)

        try:
            return self.patiently(ask)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, ModelUnusable):
                raise
            raise ModelUnusable(
                english(
                    "%(name)s: %(endpoint)s answers, but not as a hub: check HF_ENDPOINT",
                    name=self.name,
                    endpoint=self.endpoint,
                )
            ) from None
        finally:
            huggingface_hub.close_session()

    @contextmanager
    def stream(
        self, repository: Repository, file: RemoteFile, start: int, end: int
    ) -> Iterator[httpx2.Response]:
        """Asks for the bytes from `start` up to `end` of a file; raises StatusError and httpx2's errors."""
        url = f"{self.endpoint}/{repository.repo}/resolve/{repository.commit}/{quote(file.name)}"
        headers = {"Accept-Encoding": "identity", "User-Agent": "GrokWeb"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if start or end < file.size:
            headers["Range"] = f"bytes={start}-{end - 1}"
        with self._files.stream("GET", url, headers=headers) as answer:
            if answer.status_code not in (200, 206):
                raise StatusError.of(answer)
            yield answer

    def patiently(
        self, ask: Callable[[], Answer], *, has_progress: Callable[[], bool] = lambda: False
    ) -> Answer:
        """Returns what `ask` returns, after more tries where another try can help; raises ModelUnusable.

        A try that brought bytes (`has_progress`) does not count.
        """
        failed = 0
        while True:
            try:
                return ask()
            except (StatusError, httpx2.HTTPError, httpx2.InvalidURL) as error:
                failed = 1 if has_progress() else failed + 1
                if not _may_pass(error) or failed >= TRIES:
                    raise self.refusal(error) from None
                self._sleep(self._pause(error, failed))

    def refusal(self, error: Exception) -> ModelUnusable:
        """Returns the one line that names the model, the cause and the next step."""
        if isinstance(error, StatusError):
            kind = RevisionGone if error.code == "RevisionNotFound" else ModelUnusable
            return kind(english("%(name)s: %(why)s", name=self.name, why=self._status_words(error)))
        return ModelUnusable(english("%(name)s: %(why)s", name=self.name, why=self._connection_words(error)))

    def _pause(self, error: Exception, failed: int) -> float:
        asked = error.retry_after if isinstance(error, StatusError) else ""
        if not asked.isdecimal():
            return float(min(2 ** (failed - 1), 30))
        if int(asked) > LONGEST_WAIT:
            raise ModelUnusable(
                english(
                    "%(name)s: the hub asks to wait %(seconds)s seconds (status %(status)s); what was "
                    "fetched is kept: start again to continue then",
                    name=self.name,
                    seconds=f"{int(asked):,}",
                    status=error,
                )
            )
        return float(asked)

    def _status_words(self, error: StatusError) -> str:
        status, code = error.status, error.code
        if code == "RevisionNotFound":
            revision = self.name.revision or "main"
            return english(
                "it has no revision %(revision)s: see %(page)s/tree/main", revision=revision, page=self.page
            )
        if code == "GatedRepo" or status == 403:
            return self.gated_words()
        if status == 401 and self._token:
            return english("the hub does not accept HF_TOKEN: make another one on its page settings/tokens")
        if status in (401, 404):
            return self._absent_words()
        if status == 429:
            return english(
                "the hub refuses more requests for now (status 429); what was fetched is kept: start again "
                "to continue later"
            )
        return english(
            "the hub answers with status %(status)s; what was fetched is kept: start again to continue later",
            status=status,
        )

    def _absent_words(self) -> str:
        if self._token:
            return english(
                "%(endpoint)s has no such model; check the name at %(page)s",
                endpoint=self.endpoint,
                page=self.page,
            )
        return english(
            "%(endpoint)s has no such model, or is private: then set HF_TOKEN; check the name at %(page)s",
            endpoint=self.endpoint,
            page=self.page,
        )

    def gated_words(self) -> str:
        if self._token:
            return english(
                "the account of HF_TOKEN may not read it: accept its conditions at %(page)s", page=self.page
            )
        return english(
            "it needs an account that accepted its conditions: do so at %(page)s, then set HF_TOKEN",
            page=self.page,
        )

    def _connection_words(self, error: Exception) -> str:
        cause = error.__cause__
        if isinstance(cause, Refused):
            return english(
                "the hub leads to a place that is not allowed: %(why)s; list a host of your own network in "
                "GROKWEB_HUB_HOSTS",
                why=line_of(cause),
            )
        if isinstance(cause, Unreachable):
            return english(
                "%(endpoint)s cannot be reached: %(why)s; check the network and HF_ENDPOINT; what was "
                "fetched is kept: start again to continue",
                endpoint=self.endpoint,
                why=line_of(cause),
            )
        return english(
            "the transfer failed %(number)s times: %(why)s; what was fetched is kept: start again to "
            "continue",
            number=TRIES,
            why=line_of(cause) if cause else type(error).__name__,
        )

    def _client(self, limits: Limits) -> httpx2.Client:
        return httpx2.Client(
            transport=GuardedTransport(Policy("hub", listed=self._listed, limits=limits)),
            trust_env=False,
            follow_redirects=True,
            timeout=httpx2.Timeout(limits.silent_seconds),
        )


def hub_of_settings(name: HubName) -> Hub:
    """Returns the hub that HF_ENDPOINT, HF_TOKEN and GROKWEB_HUB_HOSTS describe."""
    try:
        listed = Listed.parse(settings.HUB_HOSTS)
    except ValueError as error:
        raise ModelUnusable(
            english("%(where)s: %(why)s", where="GROKWEB_HUB_HOSTS", why=line_of(error))
        ) from None
    return Hub(name, endpoint=settings.HF_ENDPOINT, token=read_token(), listed=listed)


def read_token() -> str:
    """Returns HF_TOKEN, or what is in the file HF_TOKEN_PATH; "" for none. Raises ModelUnusable."""
    token, path = settings.HF_TOKEN, settings.HF_TOKEN_PATH
    where = "HF_TOKEN"
    if path and not token:
        where = f"HF_TOKEN_PATH={path}"
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ModelUnusable(f"{where}: {reason}") from None
        if not token:
            raise ModelUnusable(english("%(where)s is empty: write the token into it", where=where))
    if not token.isascii() or (token and not token.isprintable()) or " " in token:
        raise ModelUnusable(english("%(where)s has characters that no token has: check it", where=where))
    return token


def checked_endpoint(endpoint: str) -> str:
    """Returns the hub's base URL without a slash at the end; raises ModelUnusable."""
    url = endpoint.rstrip("/")
    try:
        split = urlsplit(url)
        is_sound = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
        is_sound = is_sound and split.username is None and not (split.query or split.fragment)
        Listed().with_url(url)
    except (ValueError, OutboundError):
        is_sound = False
    if not is_sound:  # it may hold a password, so it is not shown
        raise ModelUnusable(
            english(
                "HF_ENDPOINT is not the address of a hub, such as %(example)s",
                example="https://huggingface.co",
            )
        )
    return url


def _may_pass(error: Exception) -> bool:
    """Returns whether another try can succeed."""
    if isinstance(error, StatusError):
        return error.status in AGAIN_STATUSES
    cause = error.__cause__
    if isinstance(error, GuardError | httpx2.InvalidURL) or isinstance(cause, Refused):
        return False
    if isinstance(cause, Unreachable):
        return cause.reason in ("connect", "lookup")
    return isinstance(error, httpx2.TransportError) or isinstance(cause, BadAnswer)


def _repository(found: Any, name: HubName) -> Repository:
    """Reads the library's answer. Raises ValueError and its like for one that is not as a hub's."""
    commit = str(found.sha or "")
    if len(commit) != 40 or not set(commit) <= set("0123456789abcdef"):
        raise ValueError("no commit")
    files = {}
    for sibling in found.siblings or ():
        lfs = sibling.lfs
        size = lfs.size if lfs else sibling.size
        files[str(sibling.rfilename)] = RemoteFile(
            str(sibling.rfilename),
            -1 if size is None else int(size),
            sha256=str(lfs.sha256) if lfs else "",
            git_sha1="" if lfs else str(sibling.blob_id or ""),
        )
    card = found.card_data or {}
    licence = Licence(*(_words(card.get(key)) for key in ("license", "license_name", "license_link")))
    return Repository(
        repo=_same_kind(str(found.id or name.repo), name),
        commit=commit,
        licence=licence,
        is_gated=bool(found.gated),
        files=files,
    )


def _same_kind(repo: str, name: HubName) -> str:
    """Returns the repository's name of today, if it is one; else the name that was asked for."""
    from inference.hub.names import parse_name

    try:
        return parse_name(repo).repo
    except ModelUnusable:
        return name.repo


def _words(value: Any) -> str:
    """Returns one short printable line of what a model card says."""
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    return "".join(letter for letter in str(value or "") if letter.isprintable())[:200].strip()
