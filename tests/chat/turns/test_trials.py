"""Staff try a model on its page: through the queue, one at a time, audited, with nothing stored."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Conversation
from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from chat.quotas.models import UsageEntry
from chat.turns import reconcile, redis_client, trials
from chat.turns.models import Generation
from inference.wire import queue
from tests.chat.cast import Cast
from tests.chat.turns.exchange import eventually

pytestmark = [pytest.mark.django_db(transaction=True)]
TRIAL = "/admin/models/scripted/trial/"
GOES_ON = ("waiting", "writing")


def ask(cast: Cast, method: str = "get", who: str = "staff", language: str = "en", path: str = TRIAL) -> Any:
    call = getattr(cast.client(who), method)
    more = {"content_type": "application/json"} if method == "post" else {}
    return call(path, headers={"Accept-Language": language}, **more)


@pytest.fixture
def question(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the scripted engine behave: its script is the question."""

    def say(script: str) -> None:
        monkeypatch.setattr(trials, "question", lambda: script)

    return say


async def outcome(cast: Cast, language: str = "en") -> dict[str, Any]:
    """Begins a trial and returns how it ended, which its first answer may know already."""
    begun = await sync_to_async(ask)(cast, "post", language=language)
    assert begun.status_code == 200, begun.content
    return await end_of(cast, begun.json(), language)


async def end_of(cast: Cast, state: dict[str, Any], language: str = "en") -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        now: dict[str, Any] = ask(cast, language=language).json()
        return None if now["state"] in GOES_ON else now

    found: dict[str, Any] = state if state["state"] not in GOES_ON else await eventually(ended)
    return found


async def test_staff_see_answer_first_token_and_pace_and_nothing_is_stored(
    cast: Cast, broker: Any, question: Any
) -> None:
    question("slow:4:20")  # a pace needs tokens that are not written in the same millisecond
    broker.start_worker()._beat()
    state = await outcome(cast)
    assert (state["state"], state["text"]) == ("done", "w1 w2 w3 w4")
    assert state["words"].startswith("First token after ")
    assert "4 tokens in " in state["words"]
    assert state["words"].endswith(" tokens a second.")
    [told] = [row async for row in StaffAction.objects.filter(verb="try")]
    assert (told.actor_email, told.target) == ("staff@example.org", "modelcard:scripted")
    for rows in (Conversation, Generation, UsageEntry):
        assert not await rows.objects.aexists()
    assert (await sync_to_async(ask)(cast)).json()["state"] == "over"


async def test_each_staff_member_has_one_trial_at_a_time_which_the_sweep_leaves(
    cast: Cast, broker: Any, question: Any
) -> None:
    question("slow:50:40")
    broker.start_worker(slots=1)._beat()
    begun = await sync_to_async(ask)(cast, "post", language="fr")
    again = await sync_to_async(ask)(cast, "post", language="fr")
    assert again.status_code == 409
    assert again.json()["error"]["words"].startswith("Votre dernier essai n’est pas terminé.")
    await sync_to_async(reconcile.sweep)()
    state = await end_of(cast, begun.json(), "fr")
    assert state["state"] == "done"
    assert "50 jetons en " in state["words"]
    assert (await outcome(cast))["state"] == "done"


async def test_a_trial_that_nobody_takes_gives_up_its_place_in_the_queue(
    cast: Cast, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "ticket", lambda *_: None)
    broker.start_worker()._beat()
    monkeypatch.setattr("chat.turns.submission.ticket", lambda *_: None)
    assert (await sync_to_async(ask)(cast, "post")).json()["words"] == "The question waits for a worker."
    client = redis_client.client()
    [waiting] = queue.waiting(client, "scripted")
    await sync_to_async(reconcile.sweep)()
    assert queue.waiting(client, "scripted") == [waiting]
    for key in client.scan_iter("*trial:*"):
        client.delete(key)  # as after TRIAL_SECONDS
    await sync_to_async(reconcile.sweep)()
    assert queue.waiting(client, "scripted") == []
    assert (await sync_to_async(ask)(cast)).json()["words"] == "There was no answer within two minutes."


async def test_a_failure_is_told_in_its_own_words(
    cast: Cast, broker: Any, question: Any, model_card: ModelCard
) -> None:
    nobody = await sync_to_async(ask)(cast, "post")
    assert nobody.status_code == 409
    assert "The model is not running." in nobody.json()["error"]["words"]
    model_card.context_limit = 256
    await model_card.asave()
    question("w " * 300)
    broker.start_worker()._beat()
    state = await outcome(cast)
    assert (state["state"], state["text"]) == ("failed", "")
    assert state["words"] == "Your message is too long for this model. Please shorten it."


@pytest.mark.parametrize(("who", "status"), [("alice", 403), ("moderator", 403), ("anonymous", 401)])
def test_only_staff_who_may_change_models_try_one(cast: Cast, who: str, status: int) -> None:
    for method in ("get", "post"):
        assert ask(cast, method, who).status_code == status
    assert ask(cast, "post", path="/admin/models/none/trial/").status_code == 404
    assert not StaffAction.objects.exists()
    assert "data-trial" in ask(cast, path="/admin/model_cards/modelcard/scripted/change/").content.decode()
