"""One notification for each answer that is ready, and push services that misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from chat.accounts.models import User
from chat.conversations.models import Message
from chat.push import notifying, services, tasks
from chat.push.models import PushDevice
from chat.turns import visible_tabs
from chat.turns.models import Generation, Status
from inference.base.outbound import count_with
from inference.contract import JOBS_QUEUE, Reason
from inference.settings import REDIS_PREFIX
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.push.browsers import Browser
from tests.inference.outbound_servers import Server, answer, recorded_connections, redirects, says

pytestmark = pytest.mark.django_db

Start = Callable[..., Server]


def ready(owner: User, status: str = Status.COMPLETE, reason: str = Reason.STOP) -> Generation:
    """A reply that was settled."""
    conversation = talk(owner, "What is soup?", "A secret soup.", title="Secret title")
    message = Message.objects.get(conversation=conversation, role="assistant")
    return Generation.objects.create(
        message=message,
        user=owner,
        model="scripted",
        status=status,
        reason=reason,
        client_id=str(message.pk),
        seed=1,
    )


def subscribe(cast: Cast, server: Server, who: str = "alice") -> Browser:
    browser = Browser()
    data = browser.subscription(f"{server.url}/send/{who}?a=b")
    put = cast.client(who).put("/api/push/", json.dumps(data), content_type="application/json")
    assert put.status_code == 200, put.content
    return browser


def queued(held: redis.Redis) -> list[tuple[str, list[Any], bool]]:
    """Name, arguments and whether it waits, of each task in the queue of jobs."""
    tasks_ = [json.loads(each) for each in held.lrange(f"{REDIS_PREFIX}:celery:{JOBS_QUEUE}", 0, -1)]
    heads = [each["headers"] for each in tasks_]
    return [
        (each["task"], json.loads(each["argsrepr"].replace("'", '"')), bool(each["eta"])) for each in heads
    ]


def test_a_message_says_that_an_answer_is_ready_and_nothing_of_it(
    cast: Cast, push_service: Start, push_key: str
) -> None:
    server = push_service()
    browser = subscribe(cast, server)
    reply = ready(cast.alice)
    tasks.notify(str(reply.pk))
    (request,) = server.requests
    head = request.partition(b"\r\n\r\n")[0].decode().lower()
    assert browser.read(request) == {
        "title": "GrokWeb",
        "body": "An answer is ready.",
        "conversation": str(reply.message.conversation_id),
    }
    assert head.startswith("post /send/alice?a=b http/1.1\r\n")
    assert "content-encoding: aes128gcm" in head
    assert "ttl: 3600" in head
    assert "authorization: vapid t=" in head
    assert push_key.lower() not in head


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "Une réponse est prête."), ("xx", "An answer is ready.")]
)
def test_it_speaks_the_language_of_the_person(
    cast: Cast, push_service: Start, language: str, words: str
) -> None:
    server = push_service()
    browser = subscribe(cast, server)
    User.objects.filter(pk=cast.alice.pk).update(language=language)
    tasks.notify(str(ready(cast.alice).pk))
    assert browser.read(server.requests[0])["body"] == words


def test_a_reply_is_notified_once(cast: Cast, push_service: Start) -> None:
    server = push_service()
    subscribe(cast, server)
    first, second = ready(cast.alice), ready(cast.alice)
    for reply in (first, first, second, first):
        tasks.notify(str(reply.pk))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.STOPPED, Reason.STOPPED),
        (Status.FAILED, Reason.FAILED),
        (Status.REFUSED, Reason.REFUSED),
        (Status.COMPLETE, Reason.CALLS),  # another step follows
        (Status.RUNNING, ""),
    ],
)
def test_replies_without_an_answer_are_not_notified(
    cast: Cast, push_service: Start, status: str, reason: str
) -> None:
    server = push_service()
    subscribe(cast, server)
    tasks.notify(str(ready(cast.alice, status, reason).pk))
    assert server.requests == []


def test_nobody_is_notified_of_what_they_may_not_see(cast: Cast, push_service: Start) -> None:
    server = push_service()
    subscribe(cast, server)
    subscribe(cast, server, "bob")
    deleted, suspended, bobs = ready(cast.alice), ready(cast.alice), ready(cast.bob)
    cast.client("alice").delete(f"/api/conversations/{deleted.message.conversation_id}/")
    tasks.notify(str(deleted.pk))
    User.objects.filter(pk=cast.alice.pk).update(suspended_at=timezone.now() - timedelta(seconds=1))
    tasks.notify(str(suspended.pk))
    tasks.notify(str(bobs.pk))
    tasks.notify("00000000-0000-4000-8000-000000000000")
    assert [request.split(b" ")[1] for request in server.requests] == [b"/send/bob?a=b"]


def test_a_browser_that_is_logged_out_gets_nothing(cast: Cast, push_service: Start) -> None:
    server = push_service()
    subscribe(cast, server)
    cast.alice.set_password("another one entirely")
    cast.alice.save()
    tasks.notify(str(ready(cast.alice).pk))
    assert server.requests == []


def test_nothing_is_sent_after_the_operator_took_the_key_away(
    cast: Cast, push_service: Start, settings: Any, redis_client: redis.Redis
) -> None:
    server = push_service()
    subscribe(cast, server)
    settings.PUSH_KEY = ""
    reply = ready(cast.alice)
    notifying.ready(reply.pk)
    tasks.notify(str(reply.pk))
    assert (server.requests, queued(redis_client)) == ([], [])


def test_without_redis_nothing_is_sent_and_nothing_fails(
    cast: Cast, push_service: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = push_service()
    subscribe(cast, server)

    def away(user_id: object) -> bool:
        raise redis.ConnectionError

    monkeypatch.setattr(visible_tabs, "is_any", away)
    tasks.notify(str(ready(cast.alice).pk))
    assert server.requests == []


# --- Push services that misbehave ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_a_browser_that_is_gone_is_forgotten(
    cast: Cast, push_service: Start, redis_client: redis.Redis, status: str
) -> None:
    server = push_service(says(answer(b"gone", status=status)))
    subscribe(cast, server)
    tasks.notify(str(ready(cast.alice).pk))
    assert not PushDevice.objects.exists()
    assert queued(redis_client) == []


@pytest.mark.parametrize(
    ("lines", "status", "is_tried_again"),
    [
        (["Retry-After: 60"], "429 Too Many Requests", True),
        (["Retry-After: soon"], "429 Too Many Requests", True),
        (["Retry-After: 86400"], "429 Too Many Requests", False),
        ([], "500 Internal Server Error", True),
        ([], "503 Service Unavailable", True),
        ([], "403 Forbidden", False),
        ([], "413 Payload Too Large", False),
    ],
)
def test_a_busy_service_is_asked_again_later(
    cast: Cast,
    push_service: Start,
    redis_client: redis.Redis,
    lines: list[str],
    status: str,
    is_tried_again: bool,
) -> None:
    server = push_service(says(answer(b"", *lines, status=status)))
    subscribe(cast, server)
    reply, device = ready(cast.alice), PushDevice.objects.get()
    tasks.notify(str(reply.pk))
    later = [(notifying.AGAIN_TASK, [device.pk, str(reply.pk), 2], True)]
    assert queued(redis_client) == (later if is_tried_again else [])
    device.refresh_from_db()
    assert device.failures == (0 if is_tried_again else 1)


def test_tries_come_to_an_end_and_so_does_the_patience_with_a_browser(
    cast: Cast, push_service: Start, redis_client: redis.Redis
) -> None:
    server = push_service(says(answer(b"", status="500 Internal Server Error")))
    subscribe(cast, server)
    device = PushDevice.objects.get()
    for number in range(services.MOST_FAILURES):
        assert PushDevice.objects.get().failures == number
        tasks.notify_again(device.pk, str(ready(cast.alice).pk), notifying.TRIES)
    assert not PushDevice.objects.exists()
    assert queued(redis_client) == []


def test_a_success_restores_the_patience(cast: Cast, push_service: Start) -> None:
    subscribe(cast, push_service())
    PushDevice.objects.update(failures=services.MOST_FAILURES - 1)
    tasks.notify(str(ready(cast.alice).pk))
    assert PushDevice.objects.get().failures == 0


def test_a_second_try_is_for_one_browser_that_still_wants_it(cast: Cast, push_service: Start) -> None:
    server = push_service()
    subscribe(cast, server)
    subscribe(cast, server, "bob")
    alice, bob = (PushDevice.objects.get(user=each) for each in (cast.alice, cast.bob))
    reply = ready(cast.alice)
    tasks.notify_again(bob.pk, str(reply.pk), 2)
    assert server.requests == []
    tasks.notify_again(alice.pk, str(reply.pk), 2)
    assert [request.split(b" ")[1] for request in server.requests] == [b"/send/alice?a=b"]


def test_a_redirect_is_not_followed(cast: Cast, push_service: Start) -> None:
    other = push_service()
    server = push_service(redirects(f"{other.url}/", "307 Temporary Redirect"))
    subscribe(cast, server)
    with recorded_connections() as seen:
        tasks.notify(str(ready(cast.alice).pk))
    assert [port for _, port in seen if port in (server.port, other.port)] == [server.port]
    assert other.requests == []
    assert PushDevice.objects.get().failures == 1


def test_an_address_that_became_private_is_not_connected_to(
    cast: Cast, push_service: Start, settings: Any
) -> None:
    server = push_service()
    subscribe(cast, server)
    settings.PUSH_LISTED = type(settings.PUSH_LISTED)()
    with recorded_connections() as seen:
        tasks.notify(str(ready(cast.alice).pk))
    assert server.port not in [port for _, port in seen]
    assert PushDevice.objects.get().failures == 1


def test_a_service_that_floods_or_breaks_off_is_no_failure_of_the_message(
    cast: Cast, push_service: Start
) -> None:
    def floods(sock: Any, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000)

    subscribe(cast, push_service(floods))
    tasks.notify(str(ready(cast.alice).pk))
    device = PushDevice.objects.get()
    assert device.failures == 0


def test_a_service_without_a_valid_certificate_gets_nothing(
    cast: Cast, push_service: Start, settings: Any, redis_client: redis.Redis
) -> None:
    server = push_service()
    subscribe(cast, server)
    settings.PUSH_TLS = None
    tasks.notify(str(ready(cast.alice).pk))
    assert server.requests == []
    assert [task for task, _, _ in queued(redis_client)] == [notifying.AGAIN_TASK]


def test_a_slow_service_holds_up_no_other_job(
    cast: Cast, push_service: Start, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task ends while the service has not answered."""
    asked, may_answer = threading.Event(), threading.Event()

    def waits(sock: Any, request: bytes) -> None:
        asked.set()
        may_answer.wait(30)
        sock.sendall(answer(b"", status="201 Created"))

    noted = threading.Event()
    monkeypatch.setattr(notifying, "_note", lambda *_: noted.set())
    settings.PUSH_IN_BACKGROUND = True
    subscribe(cast, push_service(waits))
    tasks.notify(str(ready(cast.alice).pk))
    assert asked.wait(30)
    assert not noted.is_set()
    may_answer.set()
    assert noted.wait(30)


def test_requests_are_counted_by_their_purpose(cast: Cast, push_service: Start) -> None:
    counted: list[tuple[str, str]] = []
    subscribe(cast, push_service())
    stop = count_with(lambda purpose, outcome: counted.append((purpose, outcome)))
    try:
        tasks.notify(str(ready(cast.alice).pk))
    finally:
        stop()
    assert counted == [("push", "complete")]
