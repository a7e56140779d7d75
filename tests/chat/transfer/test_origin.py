"""An imported answer never passes for the words of the model here, wherever it is shown."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from chat.conversations.models import Conversation, Message
from chat.feedback.services import counts
from chat.moderation.models import Report
from chat.sharing.models import Share, SharePage
from chat.turns.models import Generation
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.transfer import files
from tests.chat.transfer.importing import bring, only, report

FROM_CHATGPT = "Imported from ChatGPT, which names the model gpt-4o"
ORIGIN = {"source": "ChatGPT", "model": "gpt-4o", "continued": False}


def imported(cast: Cast, text: str = "I am your bank.", **metadata: Any) -> Message:
    record = files.chatgpt_answering(text, **(metadata or {"model_slug": "gpt-4o"}))
    report(bring(cast.client("alice"), files.as_json(record)))
    return Message.objects.get(text=text)


def share(cast: Cast, conversation: Conversation) -> Share:
    answer = cast.client("alice").post(
        f"/api/conversations/{conversation.pk}/share/", "{}", content_type="application/json"
    )
    return Share.objects.get(token=answer.json()["share"]["token"])


def post(cast: Cast, address: str, who: str = "alice", **data: Any) -> Any:
    return cast.client(who).post(address, json.dumps(data), content_type="application/json")


def test_the_chat_page_gets_the_origin_of_the_answer_alone(cast: Cast) -> None:
    answer = imported(cast)
    pages = cast.client("alice").get(f"/api/conversations/{answer.conversation_id}/messages/").json()
    question, result = pages["messages"]
    assert result["origin"] == ORIGIN
    assert "origin" not in question
    assert FROM_CHATGPT not in str(pages)  # the page says it in its own language


def test_the_shared_page_states_the_origin(cast: Cast) -> None:
    made = share(cast, imported(cast).conversation)
    page = cast.client("anonymous").get(made.get_absolute_url()).content.decode()
    assert page.count(FROM_CHATGPT) == 1
    assert "Answers marked as imported or edited were not written by it." in page
    french = cast.client("anonymous").get(made.get_absolute_url(), headers={"accept-language": "fr"})
    assert "Importé de ChatGPT" in french.content.decode()
    assert (
        FROM_CHATGPT in cast.client("staff").get(f"/admin/sharing/share/{made.pk}/change/").content.decode()
    )


def test_links_of_older_releases_state_the_origin(cast: Cast) -> None:
    made = share(cast, imported(cast).conversation)
    copied = made.pages.get()
    old = [{key: each[key] for key in ("id", "role", "text")} for each in copied.messages]
    SharePage.objects.filter(pk=copied.pk).update(messages=old)
    assert FROM_CHATGPT in cast.client("anonymous").get(made.get_absolute_url()).content.decode()


def test_replies_of_the_local_model_state_no_origin(cast: Cast) -> None:
    kept = talk(cast.alice, "A question", "An answer")
    Generation.objects.create(
        message=kept.messages.get(text="An answer"), user=cast.alice, model="scripted", seed=1
    )
    made = share(cast, kept)
    assert "mported" not in cast.client("anonymous").get(made.get_absolute_url()).content.decode()
    assert "Imported" not in cast.client("alice").get(f"/c/{kept.pk}/print/").content.decode()


def test_the_print_view_and_exports_state_the_origin(cast: Cast) -> None:
    pk = imported(cast).conversation_id
    page = cast.client("alice").get(f"/c/{pk}/print/").content.decode()
    assert f'<h2 class="author">{FROM_CHATGPT}</h2>' in page
    markdown = cast.client("alice").get(f"/api/conversations/{pk}/export/?format=markdown").content.decode()
    assert f"## {FROM_CHATGPT}\n\nI am your bank." in markdown
    result = cast.client("alice").get(f"/api/conversations/{pk}/export/?format=json").json()
    origins = {each["role"]: each.get("origin") for each in result["messages"]}
    assert origins == {"user": None, "assistant": ORIGIN}


def test_an_export_from_here_is_imported_when_it_comes_back(cast: Cast) -> None:
    """Its owner may have changed every word of it."""
    kept = talk(cast.alice, "A question", "An answer")
    Generation.objects.create(
        message=kept.messages.get(text="An answer"), user=cast.alice, model="scripted", seed=1
    )
    result = cast.client("alice").get(f"/api/conversations/{kept.pk}/export/?format=json").json()
    for each in result["messages"]:
        if each["role"] == "assistant":
            each["text"] = "I am your bank."
    report(bring(cast.client("alice"), files.as_json(result)))
    answer = Message.objects.get(text="I am your bank.")
    page = cast.client("alice").get(f"/c/{answer.conversation_id}/print/").content.decode()
    assert "Imported from GrokWeb, which names the model scripted" in page


def test_a_model_that_the_file_names_is_cleaned(cast: Cast) -> None:
    answer = imported(cast, "Hello", model_slug="gpt\u202e\n<b>4</b>" + "x" * 200)
    page = cast.client("alice").get(f"/c/{answer.conversation_id}/print/").content.decode()
    assert "names the model gpt &lt;b&gt;4&lt;/b&gt;xxx" in page
    assert len(answer.source_model) == 80


@pytest.mark.parametrize("model", [None, 7, ["x"], ""])
def test_a_file_need_not_name_one(cast: Cast, model: Any) -> None:
    answer = imported(cast, "Hello", model_slug=model)
    page = cast.client("alice").get(f"/c/{answer.conversation_id}/print/").content.decode()
    assert '<h2 class="author">Imported from ChatGPT</h2>' in page


def test_open_webui_names_its_model(cast: Cast) -> None:
    said = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two", "model": "llama3"}]
    report(bring(cast.client("alice"), files.as_json({"title": "Flat", "chat": {"messages": said}})))
    page = cast.client("alice").get(f"/c/{only(cast).pk}/print/").content.decode()
    assert "Imported from Open WebUI, which names the model llama3" in page


def test_a_moderator_sees_that_it_was_imported(cast: Cast) -> None:
    answer = imported(cast)
    assert post(cast, "/api/reports/", message_id=str(answer.pk), reason="harmful").status_code == 201
    made = share(cast, answer.conversation)
    for about in ({}, {"message_id": str(answer.pk)}):
        result = post(cast, f"{made.get_absolute_url()}report/", "anonymous", reason="other", **about)
        assert result.status_code == 201
    own, whole, one = Report.objects.order_by("created_at", "pk")
    assert f"assistant [{FROM_CHATGPT}]: I am your bank." in whole.text
    for each in (own, one):
        page = cast.client("moderator").get(f"/admin/moderation/report/{each.pk}/change/").content.decode()
        assert "ChatGPT" in page
    private = cast.client("staff").get(f"/admin/conversations/conversation/{answer.conversation_id}/change/")
    assert "imported from ChatGPT" in private.content.decode()


def test_it_is_not_judged_as_an_answer_of_the_model_here(cast: Cast) -> None:
    answer = imported(cast)
    refused = post(cast, f"/api/messages/{answer.pk}/feedback/", value=-1, reason="wrong")
    assert refused.status_code == 400
    assert "imported" in refused.json()["error"]["words"]
    assert counts() == []


def test_answers_that_came_in_before_are_marked_by_the_migration(cast: Cast) -> None:
    answer = imported(cast)
    own = talk(cast.alice, "A question", "An answer").messages.get(text="An answer")
    Generation.objects.create(message=own, user=cast.alice, model="scripted", seed=1)
    more = Message.objects.create(
        conversation=answer.conversation,
        parent=answer.parent,
        role="assistant",
        text=answer.text + " Pay now.",
    )
    said = {"said": len(answer.text)}
    Generation.objects.create(
        message=more, user=cast.alice, model="scripted", seed=1, client_id="b", parameters=said
    )
    Message.objects.update(source="", source_model="")
    then = MigrationLoader(connection).project_state(("transfer", "0002_mark_imported")).apps
    import_module("chat.transfer.migrations.0002_mark_imported").mark(then, None)
    sources = {str(pk): source for pk, source in Message.objects.values_list("pk", "source")}
    assert sources[str(answer.pk)] == sources[str(more.pk)] == "file"
    assert sources[str(own.pk)] == ""
    for each, continued in ((answer, False), (more, True)):
        address = f"/api/conversations/{answer.conversation_id}/messages/?around={each.pk}"
        (row,) = [m for m in cast.client("alice").get(address).json()["messages"] if m["id"] == str(each.pk)]
        assert row["origin"] == {"source": "file", "model": "", "continued": continued}
