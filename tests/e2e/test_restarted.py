"""An answer whose text started again says so."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.chat import Chat
from tests.e2e.second_model import in_service
from tests.grokweb.service import Service

STARTED_AGAIN = """
from chat.conversations.models import Message
from chat.turns.models import Generation
answer = Message.objects.get(text={text!r}, role="assistant")
Generation.objects.filter(message=answer).update(run=1)
"""
MARK = "This answer was interrupted and started again from its beginning."


def test_an_answer_says_that_it_started_again(chat: Chat, service: Service) -> None:
    text = "said twice, in other words"
    chat.ask(f"echo:{text}")
    answer = chat.page.locator(".message.assistant").last
    expect(answer.locator(".body")).to_have_text(text)
    expect(answer).not_to_contain_text(MARK)
    in_service(service, STARTED_AGAIN.format(text=text))
    chat.page.reload()
    expect(answer).to_contain_text(MARK)
    expect(answer.locator(".body")).to_have_text(text)
