"""Every place where people's words enter asks the rules: each text field and each address belongs to one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver

from chat.conversations.models import Message, Role
from chat.core.entry_points import ENTRY_POINTS, RuleScope, check_text
from chat.core.errors import RefusedByRule
from chat.moderation.models import Rule
from chat.personas.models import CustomInstructions, Persona
from chat.turns.models import Summary
from chat.turns.question import Question
from chat.turns.starting import send
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.transfer import files

WORD = "forbidden"
TEXTS = (models.CharField, models.TextField, models.JSONField)
# Written by programs, chosen from a list, or copied from what is checked where it comes from.
NOT_WRITTEN_BY_PEOPLE = {
    *("accounts.User.password", "accounts.User.email", "accounts.User.language", "accounts.User.theme"),
    *("accounts.User.density", "model_cards.ModelCard.slug", "model_cards.ModelCard.name"),
    # Announced by the model's worker, and numbers.
    *("model_cards.ModelCard.sampling", "model_cards.ModelCard.licence", "model_cards.ModelCard.defaults"),
    *("model_cards.ModelCard.about", "conversations.Message.role", "conversations.Message.status"),
    *("conversations.Message.source", "core.StaffAction.actor_email", "core.StaffAction.verb"),
    *("core.StaffAction.target", "core.StaffAction.detail", "core.StaffAction.previous"),
    *("core.StaffAction.seal", "feedback.Feedback.reason", "files.File.kind", "files.File.sha256"),
    *(
        "files.File.stored",
        "files.File.state",
        "files.File.failure_reason",
        "files.File.report",
        "moderation.Rule.kind",
    ),
    *("moderation.Rule.applies", "moderation.Report.reason", "moderation.Report.status"),
    *("moderation.Decision.action", "quotas.UsageEntry.model", "sharing.Share.token"),
    # Given by browsers.
    *("push.PushDevice.session_key", "push.PushDevice.endpoint", "push.PushDevice.p256dh"),
    *("push.PushDevice.auth", "push.PushDevice.language"),
    *("sharing.Share.policy", "sharing.SharePage.message_ids", "sharing.TakeDown.message_digests"),
    *("sharing.TakeDown.image_digests", "files.File.uploaded_sha256", "files.HiddenImage.digest"),
    *("transfer.Imported.digest", "turns.Generation.model"),
    *("turns.Generation.status", "turns.Generation.client_id", "turns.Generation.struck_by"),
    *("turns.Generation.parameters", "turns.Generation.reason", "turns.Generation.error"),
    *("turns.Summary.status", "turns.Summary.model"),
    *("turns.Part.kind", "turns.Part.text"),  # a model writes them; its worker applies the rules
    # Written by the model; its worker applies the rules.
    *("turns.ToolCall.name", "turns.ToolCall.arguments", "turns.ToolCall.call_id"),
    *("turns.ToolCall.status", "turns.ToolCall.error", "tools.ToolSettings.name"),
    *("tools.ToolSettings.approval", "transfer.ImportedCall.status", "transfer.ImportedCall.error"),
    *("turns.Generation.prompt", "model_cards.ModelCard.capabilities"),  # from rows, and from workers
    *("turns.Generation.fingerprint", "personas.Persona.language", "personas.ConversationSettings.settings"),
}
# By address: the entry points behind it; none where nobody's words come in.
ADDRESSES: dict[str, set[str]] = {
    "api/profile/": {"display_name"},
    "settings/": {"display_name"},
    "api/conversations/": {"title"},
    "api/conversations/<uuid:pk>/": {"title"},
    "api/conversations/<uuid:pk>/share/": {"share_question", "share_answer", "share_options"},
    "api/conversations/<uuid:pk>/share/<slug:token>/": {"share_options"},
    "api/folders/": {"folder"},
    "api/folders/<uuid:pk>/": {"folder"},
    "api/files/": {"file_name"},
    "api/import/": {"import_question", "import_answer", "persona", "instructions", "prompt", "folder"},
    "api/reports/": {"report"},
    "s/<slug:token>/report/": {"report"},
    "api/messages/<uuid:pk>/feedback/": {"feedback"},
    "api/messages/<uuid:pk>/edits/": {"edited_answer"},
    "api/messages/<uuid:pk>/summary/": {"summary", "summary_edit"},
    "settings/answers/": {"instructions"},
    "settings/answers/personas/new/": {"persona"},
    "settings/answers/personas/<uuid:pk>/": {"persona"},
    "settings/answers/prompts/new/": {"prompt"},
    "settings/answers/prompts/<uuid:pk>/": {"prompt"},
    **dict.fromkeys(
        (
            *("", "c/<uuid:pk>/", "c/<uuid:pk>/print/", "s/<slug:token>/", "api/models/", "api/usage/"),
            *("api/search/", "api/export/", "api/prompts/", "api/conversations/bulk/", "robots.txt"),
            *("api/conversations/<uuid:pk>/messages/", "api/conversations/<uuid:pk>/leaf/"),
            *("s/<slug:token>/open/", "api/conversations/<uuid:pk>/export/"),
            "s/<slug:token>/images/<int:number>/<uuid:pk>/",
            *("api/conversations/<uuid:pk>/settings/", "api/messages/<uuid:pk>/"),
            *("api/messages/<uuid:pk>/pin/",),
            *("api/messages/<uuid:pk>/prompt/", "api/conversations/<uuid:pk>/context/"),
            *("api/messages/<uuid:pk>/details/", "api/files/<uuid:pk>/", "api/files/<uuid:pk>/text/"),
            *(
                "api/files/<uuid:pk>/image/",
                "api/files/<uuid:pk>/original/",
                "api/files/<uuid:pk>/encoding/",
                "settings/appearance/",
                "settings/sessions/<int:pk>/end/",
            ),
            *("settings/sessions/end-others/", "settings/delete-conversations/", "settings/delete-account/"),
            *("settings/answers/personas/<uuid:pk>/delete/", "settings/answers/prompts/<uuid:pk>/delete/"),
            "settings/answers/new-chats/",
            *("frame/preview/", "frame/diagram/"),  # a frame's page: code reaches it from the chat page only
            *("api/push/", "i18n/setlang/", "manifest.webmanifest", "worker.js", "offline/<slug:language>/"),
        ),
        set(),
    ),
}


def text_fields() -> dict[str, models.Field[Any, Any]]:
    own = [each for each in apps.get_models() if each.__module__.startswith("chat.")]
    return {
        f"{model._meta.app_label}.{model.__name__}.{field.name}": field
        for model in own
        for field in model._meta.concrete_fields
        if isinstance(field, TEXTS)
    }


def addresses(resolver: URLResolver, before: str = "") -> list[str]:
    found = []
    for each in resolver.url_patterns:
        here = before + str(each.pattern)
        if isinstance(each, URLResolver):
            found += addresses(each, here)
        elif isinstance(each, URLPattern) and each.callback.__module__.startswith("chat."):
            found.append(here)
    return [each for each in found if not each.startswith(("admin/", "accounts/"))]


def test_every_text_field_belongs_to_an_entry_point() -> None:
    written = {field for each in ENTRY_POINTS.values() for field in each.fields} - {"auth.Group.name"}
    known = set(text_fields())
    assert known - written - NOT_WRITTEN_BY_PEOPLE == set(), "a new field: name who writes it"
    assert written - known == set()
    assert NOT_WRITTEN_BY_PEOPLE & written == set()


def test_every_address_belongs_to_entry_points() -> None:
    assert set(addresses(get_resolver())) == set(ADDRESSES), "a new address: name whose words enter there"
    assert set().union(*ADDRESSES.values()) <= set(ENTRY_POINTS)


def test_an_entry_point_without_rules_says_why() -> None:
    for name, each in ENTRY_POINTS.items():
        assert (each.rules is RuleScope.NONE) == bool(each.why), name


# --- Each of them refuses -----------------------------------------------------------------------------------


def refused(answer: Any) -> None:
    is_api = answer["Content-Type"] == "application/json"
    assert answer.status_code == (422 if is_api else 400), answer.content
    assert "Not here, please." in answer.content.decode()


def send_json(cast: Any, verb: str, address: str, **data: Any) -> Any:
    call = getattr(cast.client("alice"), verb)
    return call(address, json.dumps(data), content_type="application/json")


def bring(cast: Any, *records: Any) -> Any:
    upload = SimpleUploadedFile("conversations.json", files.as_json(*records))
    return cast.client("alice").post("/api/import/", {"file": upload}).json()["report"]


def in_display_name(cast: Any) -> None:
    refused(send_json(cast, "patch", "/api/profile/", display_name=f"Mr {WORD}"))
    refused(cast.client("alice").post("/settings/", {"display_name": WORD, "language": ""}))


def in_message(cast: Any) -> None:
    with pytest.raises(RefusedByRule, match="Not here"):
        send(user=cast.alice, conversation_id=None, parent_id=None, question=Question(WORD), client_id="a")


def in_title(cast: Any) -> None:
    refused(send_json(cast, "post", "/api/conversations/", title=f"a {WORD} title"))
    kept = talk(cast.alice, "Hello")
    refused(send_json(cast, "patch", f"/api/conversations/{kept.pk}/", title="F\u200bORBIDDEN"))


def in_model_title(cast: Any) -> None:
    """tests/chat/turns/test_titles.py lets a model say it."""
    with pytest.raises(RefusedByRule):
        check_text("model_title", WORD)


def in_folder(cast: Any) -> None:
    refused(send_json(cast, "post", "/api/folders/", name=WORD))
    made = send_json(cast, "post", "/api/folders/", name="Fine").json()["folder"]
    refused(send_json(cast, "patch", f"/api/folders/{made['id']}/", name=WORD))


def in_file_name(cast: Any) -> None:
    upload = SimpleUploadedFile(f"{WORD}.txt", b"words")
    refused(cast.client("alice").post("/api/files/", {"file": upload}))


def in_persona(cast: Any) -> None:
    for name, prompt in ((WORD, "You are kind."), ("Kind", f"Say {WORD}.")):
        new = "/settings/answers/personas/new/"
        refused(cast.client("alice").post(new, {"name": name, "prompt": prompt}))
    record = {"format": "grokweb.voice", "version": 1, "personas": [{"name": WORD, "prompt": "Hello"}]}
    assert bring(cast, record)["left_out"][0]["reason"] == "Not here, please."


def in_site_persona(cast: Any) -> None:
    for name, prompt in ((WORD, "You are kind."), ("Kind", f"Say {WORD}.")):
        form = {"name": name, "language": "", "prompt": prompt}
        page = cast.client("staff").post("/admin/personas/persona/add/", form)
        assert page.status_code == 200
        assert "Not here, please." in page.content.decode()
    assert not Persona.objects.filter(name="Kind").exists()


def in_instructions(cast: Any) -> None:
    for field in ("about", "style"):
        form = {"about": "", "style": "", "active": "on", field: WORD}
        refused(cast.client("alice").post("/settings/answers/", form))


def in_prompt(cast: Any) -> None:
    for name, text in ((WORD, "Hello"), ("Hello", WORD)):
        refused(cast.client("alice").post("/settings/answers/prompts/new/", {"name": name, "text": text}))


def in_system_text(cast: Any) -> None:
    """A message from before the rule was made."""
    CustomInstructions.objects.create(user=cast.alice, about=WORD)
    with pytest.raises(RefusedByRule, match="Not here"):
        send(user=cast.alice, conversation_id=None, parent_id=None, question=Question("Hello"), client_id="a")
    CustomInstructions.objects.all().delete()


def in_import_question(cast: Any) -> None:
    question, title = files.chatgpt(question=f"A {WORD} question"), files.chatgpt(title=WORD)
    file = files.grokweb_with_file(name="a.txt", text=WORD)
    name = files.grokweb_with_file(name=f"{WORD}.txt", text="words")
    result = bring(cast, question, title, file, name, files.openwebui())
    assert [each["reason"] for each in result["left_out"]] == ["Not here, please."] * 4
    assert [each["source"] for each in result["imported"]] == ["Open WebUI"]


def in_import_answer(cast: Any) -> None:
    """The rules for what the model writes count for an answer from a file."""
    Rule.objects.create(
        name="of replies", options={"pattern": "secret"}, applies="reply", words="Not here, please."
    )
    result = bring(cast, *(files.chatgpt_answering(text) for text in (WORD, "a SECRET", "fine")))
    assert [each["reason"] for each in result["left_out"]] == ["Not here, please."] * 2
    assert len(result["imported"]) == 1
    model = files.chatgpt_answering("fine again", model_slug=WORD)
    assert bring(cast, model)["left_out"][0]["reason"] == "Not here, please."
    assert not Message.objects.filter(text__icontains="secret").exists()


def share_of(cast: Any, *texts: str, title: str = "A talk") -> Any:
    kept = talk(cast.alice, *texts, title="A talk")
    type(kept).objects.filter(pk=kept.pk).update(title=title)
    answer = send_json(cast, "post", f"/api/conversations/{kept.pk}/share/")
    kept.delete()
    return answer


def in_edited_answer(cast: Any) -> None:
    answer = talk(cast.alice, "A question", "An answer").messages.get(role="assistant")
    refused(send_json(cast, "post", f"/api/messages/{answer.pk}/edits/", text=f"Of {WORD} things"))


def in_tool_result(cast: Any) -> None:
    """tests/chat/turns/test_tools.py lets a tool return it."""
    with pytest.raises(RefusedByRule):
        check_text("tool_result", WORD)


def in_summary(cast: Any) -> None:
    """tests/chat/turns/test_summaries.py lets a model write it."""
    with pytest.raises(RefusedByRule):
        check_text("summary", WORD)


def in_summary_edit(cast: Any) -> None:
    kept = talk(cast.alice, "A question", "An answer")
    answer = kept.messages.get(role="assistant")
    Summary.objects.create(
        conversation=kept, user=cast.alice, last=answer, status="ready", text="A question.", model="scripted"
    )
    refused(send_json(cast, "patch", f"/api/messages/{answer.pk}/summary/", text=f"Of {WORD} things"))


def in_share_question(cast: Any) -> None:
    refused(share_of(cast, f"A {WORD} question", "An answer"))
    refused(share_of(cast, "A question", "An answer", title=WORD))


def in_share_answer(cast: Any) -> None:
    Rule.objects.create(
        name="of replies", options={"pattern": "secret"}, applies="reply", words="Not here, please."
    )
    refused(share_of(cast, "A question", "a secret answer"))
    assert share_of(cast, f"A {'-'.join(WORD)} question", f"An answer about {WORD} things").status_code == 201


ENTER: dict[str, Callable[[Any], None]] = {
    name.removeprefix("in_"): enter for name, enter in list(globals().items()) if name.startswith("in_")
}


def test_each_entry_point_is_tried() -> None:
    assert set(ENTER) == {name for name, each in ENTRY_POINTS.items() if each.rules is not RuleScope.NONE}


@pytest.mark.parametrize("name", ENTER)
def test_forbidden_words_are_stored_at_no_entry_point(cast: Cast, name: str) -> None:
    Rule.objects.create(name="a rule", options={"pattern": WORD}, words="Not here, please.")
    ENTER[name](cast)
    if name == "share_answer":
        return  # where a rule for people's words is none for the model's
    for field in text_fields().values():
        if field.model is not Rule:
            held = field.model._default_manager.filter(**{f"{field.name}__icontains": WORD})
            assert not held.exists(), field


def test_reports_may_quote_what_is_forbidden(cast: Cast) -> None:
    kept = talk(cast.alice, "A question", "An answer")
    Rule.objects.create(name="a rule", options={"pattern": WORD})
    pk = str(kept.messages.get(role=Role.ASSISTANT).pk)
    report = send_json(cast, "post", "/api/reports/", message_id=pk, reason="other", note=f"It says {WORD}")
    assert report.status_code == 201
    answer = send_json(cast, "post", f"/api/messages/{pk}/feedback/", value=-1, note=f"It says {WORD}")
    assert answer.status_code == 200
