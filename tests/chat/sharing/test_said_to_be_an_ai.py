"""Wherever people meet a model's words, they are told at first sight that an AI wrote them."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from chat.conversations.models import Conversation
from chat.model_cards.models import ModelCard
from chat.sharing.copying import create_share
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db

TOLD = {
    "en": ("You are talking to an AI", "come from an AI"),
    "fr": ("Vous parlez à une IA", "viennent d’une IA"),
}


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    return talk(cast.alice, "Hi", "Hello")


def read(cast: Cast, path: str, language: str, who: str = "alice") -> str:
    answer = cast.client(who).get(path, HTTP_ACCEPT_LANGUAGE=language)
    assert answer.status_code == 200
    return answer.getvalue().decode()


@pytest.mark.parametrize("language", TOLD)
@pytest.mark.parametrize("is_demo", [True, False])
@pytest.mark.parametrize("place", ["an empty chat", "a chat", "a temporary chat"])
def test_the_chat_page_says_it_beside_the_box_to_write_in(
    cast: Cast, conversation: Conversation, place: str, language: str, is_demo: bool
) -> None:
    ModelCard.objects.update(is_demo=is_demo)
    if place == "a temporary chat":
        type(conversation).objects.update(temporary=True)
    page = read(cast, "/" if place == "an empty chat" else conversation.get_absolute_url(), language)
    (described,) = [line for line in page.splitlines() if 'id="ai-disclaimer"' in line]
    assert TOLD[language][0] in described
    assert "hidden" not in described
    assert 'aria-describedby="ai-disclaimer"' in page  # read out with the box


@pytest.mark.parametrize("language", TOLD)
@pytest.mark.parametrize("is_demo", [True, False])
def test_a_shared_page_says_it_before_the_first_message(
    cast: Cast, conversation: Conversation, language: str, is_demo: bool
) -> None:
    ModelCard.objects.update(is_demo=is_demo)
    share = create_share(conversation=conversation, owner=cast.alice)
    page = read(cast, share.get_absolute_url(), language, "anonymous")
    assert TOLD[language][1] in page.partition("<ol")[0]


@pytest.mark.parametrize("language", TOLD)
def test_the_print_view_says_it_before_the_first_message(
    cast: Cast, conversation: Conversation, language: str
) -> None:
    page = read(cast, f"/c/{conversation.pk}/print/", language)
    assert TOLD[language][1] in page.partition("<ol")[0]


@pytest.mark.parametrize("language", TOLD)
def test_exports_say_it_before_the_first_message(
    cast: Cast, conversation: Conversation, language: str
) -> None:
    path = f"/api/conversations/{conversation.pk}/export/?format="
    assert TOLD[language][1] in read(cast, f"{path}markdown", language).partition("\n## ")[0]
    exported = read(cast, f"{path}json", language)
    assert TOLD[language][1] in exported.partition('"messages"')[0]
    result = json.loads(exported)
    assert result["ai_generated_roles"] == ["assistant"]
    assert TOLD[language][1] in result["notice"]


def test_every_conversation_of_the_whole_export_says_it(cast: Cast, conversation: Conversation) -> None:
    answer = cast.client("alice").get("/api/export/")
    content = answer.getvalue()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.startswith(("json/", "markdown/"))]
        assert len(names) == 2
        assert all(TOLD["en"][1] in archive.read(name).decode() for name in names)
