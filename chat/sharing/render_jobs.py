"""Makes the HTML of replies once for all who wait for it, in a process of its own; stops when nobody waits.

`html_of` looks into the cache, then joins or starts a job. A job is a thread of the web process that waits
for its turn and then runs render_child.py. Three claims in Redis bound the work of all web processes
together: one job per content, one per reader, `AT_ONCE` in all. Without Redis the same holds within each web
process. docs/decisions/0010 has the reasons.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from importlib.metadata import version
from pathlib import Path

from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db import close_old_connections, connection
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext
from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError

from chat.core.errors import ChatError
from chat.core.throttling import client_address, throttle
from chat.sharing.render import prompt_html, reply_html

log = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("render_child.py")
ENVIRONMENT = {"LANG": "C.UTF-8"}  # the web process' environment contains addresses and passwords
IN_PLACE_CHARS = 2000  # characters rendered without a job: the worst take 0.05 s
KEPT_SECONDS = 600  # anybody with the address may request a page at any rate
AT_ONCE = 2  # running jobs on the whole site
JOBS = 32  # jobs that wait or run in one web process
WAITING = 128  # waiting readers in one web process
WAIT_SECONDS = 20.0  # seconds that one reader waits; then the page says "busy"
WALL_SECONDS = 30.0  # seconds of one child; on an idle machine its CPU_SECONDS end it first
TURN_SECONDS = 0.25  # seconds between two checks whether it is a job's turn
JOBS_A_MINUTE = 60  # of one reader
# Results of other versions of the libraries, or of our rules, are not used.
EDITION = f"2:{version('markdown-it-py')}:{version('nh3')}"

MADE = Counter("grokweb_shared_renders", "Pages made from Markdown, by how it ended", ["outcome"])
CACHED = Counter("grokweb_shared_cached", "Pages taken from the cache")
RUNNING = Gauge("grokweb_shared_rendering", "Processes making a page at this moment")


class PageBusy(ChatError):
    """Raised when the page is not ready yet, or too many others are being rendered."""

    code, http_status = "page_busy", 503

    def __init__(self) -> None:
        super().__init__(gettext("This page is being prepared. Please reload it in a moment."), retry_after=5)


async def html_of(texts: list[str], request: HttpRequest) -> list[SafeString]:
    """Returns the sanitised HTML of each reply, for the reader who sent the request.

    Raises PageBusy when it takes too long, TooManyRequests for a reader who asks for too much.
    """
    if not texts:
        return []
    key = _key(texts)
    found = await sync_to_async(_cached)(key)
    if found is not None:
        CACHED.inc()
    elif sum(map(len, texts)) <= IN_PLACE_CHARS:
        found = await sync_to_async(_make_in_place)(key, texts)
    else:
        await sync_to_async(_set_aside)(request)
        found = await _waited_for(key, texts, reader_of(request))
    return [mark_safe(html) for html in found]  # noqa: S308 - the sanitiser's own output, kept


def reader_of(request: HttpRequest) -> str:
    """Returns a person's key, or a visitor's address."""
    return str(request.user.pk) if request.user.is_authenticated else client_address(request)


def _set_aside(request: HttpRequest) -> None:
    """Releases the database connection, and the slot of this request where the server counts them: a waiting
    request holds neither."""
    if not connection.in_atomic_block:
        close_old_connections()
    slot = getattr(request, "scope", {}).get("slot")
    if slot is not None:
        slot.release()


def _key(texts: list[str]) -> str:
    """Returns the cache key, a hash of the content, so that text hidden since then is not found under it."""
    digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    return f"replies-html:{EDITION}:{get_language()}:{digest}"


def _cached(key: str) -> list[str] | None:
    try:
        found: list[str] | None = cache.get(key)
    except RedisError:
        log.warning("a shared page is made anew: Redis does not answer")
        return None
    return found


def _keep(key: str, html: list[str]) -> None:
    with contextlib.suppress(RedisError):
        cache.set(key, html, KEPT_SECONDS)


def _make_in_place(key: str, texts: list[str]) -> list[str]:
    html = [str(reply_html(text, place=place)) for place, text in enumerate(texts)]
    MADE.labels("short").inc()
    _keep(key, html)
    return html


# --- Waiting ----------------------------------------------------------------------------------------------


class Job:
    """A rendering, and the number of readers who wait for it."""

    def __init__(self, key: str, texts: list[str], reader: str) -> None:
        self.key, self.texts, self.reader = key, texts, reader
        self.language = get_language() or "en"
        self.waiting = 0
        self.abandoned = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None
        self.done: Future[list[str]] = Future()


_lock = threading.Lock()
_jobs: dict[str, Job] = {}
_running = threading.BoundedSemaphore(AT_ONCE)
_busy_readers: set[str] = set()


async def _waited_for(key: str, texts: list[str], reader: str) -> list[str]:
    if key not in _jobs:  # joining a running job costs nothing
        await sync_to_async(throttle)("render", reader, JOBS_A_MINUTE, 60)
    job = _join(key, texts, reader)
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(job.done)), WAIT_SECONDS)
    except TimeoutError:
        raise PageBusy from None
    finally:  # also if the reader left, which cancels this
        _leave(job)


def _join(key: str, texts: list[str], reader: str) -> Job:
    with _lock:
        job = _jobs.get(key)
        if job is None or job.abandoned.is_set():
            if len(_jobs) >= JOBS:
                raise PageBusy
            job = _jobs[key] = Job(key, texts, reader)
            threading.Thread(target=_work, args=[job], name="render", daemon=True).start()
        elif sum(each.waiting for each in _jobs.values()) >= WAITING:
            raise PageBusy
        job.waiting += 1
        return job


def _leave(job: Job) -> None:
    with _lock:
        job.waiting -= 1
        if not job.waiting:
            job.abandoned.set()
            if job.child is not None:
                job.child.kill()  # does nothing if it has ended


# --- Working ----------------------------------------------------------------------------------------------


def _work(job: Job) -> None:
    outcome = "failed"
    try:
        html, outcome = _result(job)
        job.done.set_result(html)
    except PageBusy as busy:
        outcome = "abandoned"
        job.done.set_exception(busy)
    except Exception as error:
        log.exception("a shared page could not be made")
        job.done.set_exception(error)
    finally:
        with _lock:
            if _jobs.get(job.key) is job:
                del _jobs[job.key]
        MADE.labels(outcome).inc()


def _result(job: Job) -> tuple[list[str], str]:
    """Returns the HTML, rendered here or meanwhile by another web process. Raises PageBusy once nobody waits
    any more.
    """
    while not job.abandoned.is_set():
        with _turn(job) as mine:
            found = _cached(job.key)
            if found is not None:
                return found, "elsewhere"
            if mine:
                html = _run(job)
                outcome = "typed" if None in html else "made"
                shown = [
                    str(prompt_html(text)) if made is None else made
                    for text, made in zip(job.texts, html, strict=True)
                ]
                _keep(job.key, shown)
                return shown, outcome
        job.abandoned.wait(TURN_SECONDS)
    raise PageBusy


@contextlib.contextmanager
def _turn(job: Job) -> Iterator[bool]:
    """Yields whether this job may run now: within this process, then among all."""
    with contextlib.ExitStack() as held:
        yield _may_run_here(job, held) and _may_run_anywhere(job, held)


def _may_run_here(job: Job, held: contextlib.ExitStack) -> bool:
    with _lock:
        if job.reader in _busy_readers or not _running.acquire(blocking=False):
            return False
        _busy_readers.add(job.reader)
    held.callback(_busy_readers.discard, job.reader)
    held.callback(_running.release)
    return True


def _may_run_anywhere(job: Job, held: contextlib.ExitStack) -> bool:
    reader = hashlib.sha256(job.reader.encode()).hexdigest()[:32]
    return (
        _claimed(f"render:of:{hashlib.sha256(job.key.encode()).hexdigest()}", held)
        and _claimed(f"render:for:{reader}", held)
        and any(_claimed(f"render:slot:{number}", held) for number in range(AT_ONCE))
    )


def _claimed(name: str, held: contextlib.ExitStack) -> bool:
    """Returns whether the claim succeeded. It ends with the job, or by itself if this process dies; without
    Redis nothing is claimed.
    """
    try:
        if not cache.add(name, 1, timeout=WALL_SECONDS + 5):
            return False
    except RedisError:
        return True

    def free() -> None:
        with contextlib.suppress(RedisError):
            cache.delete(name)

    held.callback(free)
    return True


def _run(job: Job) -> list[str | None]:
    """Returns the HTML of each text; None for those that the child did not finish."""
    command = [sys.executable, "-I", "-B", str(CHILD), job.language]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as child:
        RUNNING.inc()
        try:
            out = _spoken(child, json.dumps(job.texts).encode(), job)
        finally:
            child.kill()
            RUNNING.dec()
    made = [json.loads(line) for line in out.split(b"\n")[:-1]]  # a line without an end was cut off
    if child.returncode and len(made) < len(job.texts):
        log.warning("a page is shown as typed: its process ended with %s", child.returncode)
    return [*made, *[None] * (len(job.texts) - len(made))]


def _spoken(child: subprocess.Popen[bytes], texts: bytes, job: Job) -> bytes:
    """Returns what the child wrote until it ended or its time was up. Raises PageBusy if everybody left."""
    with _lock:
        job.child = child  # for `_leave`
    if job.abandoned.is_set():
        raise PageBusy
    try:
        out, _ = child.communicate(texts, timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        out, _ = child.communicate()
    if job.abandoned.is_set():
        raise PageBusy
    return out
