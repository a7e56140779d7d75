"""Hooks: each has its handlers, a handler can refuse, and the order of registration changes nothing."""

from __future__ import annotations

import importlib
import itertools
import logging
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from chat.conversations import hooks as conversation_hooks
from chat.conversations.lifecycle import create_conversation
from chat.core.errors import NotAllowed
from chat.core.hooks import Hook, dotted_name
from chat.model_cards.selection import default_model
from tests.chat.conversations.building import say

APPS = Path(__file__).parents[3] / "chat"
# Who answers each hook. A handler that is missing here, or is no longer registered, changes what people see.
HANDLERS = {
    "accounts.check_user_deletable": ["staff"],
    "accounts.login_destination": ["first_setup"],
    "accounts.settings_details": ["push", "quotas", "transfer"],
    "accounts.group_deletion_notes": ["quotas"],
    "conversations.settle_ended_replies": ["turns"],
    "conversations.conversation_details": ["personas", "sharing", "turns"],
    "conversations.message_details": ["feedback", "files", "transfer", "turns"],
    "conversations.page_details": ["files", "personas", "push", "quotas", "turns"],
    "moderation.take_down_share": ["sharing"],
    "moderation.hide_images": ["files"],
    "moderation.show_images": ["files"],
    "moderation.reported_images": ["staff"],
}


def declared() -> dict[str, Hook[..., Any]]:
    """Returns all hooks that apps declare, by name."""
    found = {}
    for path in sorted(APPS.glob("*/hooks.py")):
        for value in vars(importlib.import_module(f"chat.{path.parent.name}.hooks")).values():
            if isinstance(value, Hook):
                found[value.name] = value
    return found


def test_each_hook_has_its_handlers() -> None:
    answering = {
        name: sorted({handler.split(".")[1] for handler in hook.handlers})
        for name, hook in declared().items()
    }
    assert answering == HANDLERS


def test_a_hook_is_named_after_its_app_and_its_variable() -> None:
    for path in APPS.glob("*/hooks.py"):
        module = importlib.import_module(f"chat.{path.parent.name}.hooks")
        for variable, value in vars(module).items():
            if isinstance(value, Hook):
                assert value.name == f"{path.parent.name}.{variable}"


def shuffled(hook: Hook[..., Any], handlers: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the handlers run in exactly this order, whatever their names."""
    monkeypatch.setattr(hook, "_handlers", {f"{n:03}": handler for n, handler in enumerate(handlers)})


@pytest.mark.django_db
def test_results_of_hooks_do_not_depend_on_the_order_of_their_handlers(
    cast: Any, model_card: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = create_conversation(owner=cast.alice, model=default_model(), title="Soup")
    messages = say(conversation, "q1", "a1")
    request = RequestFactory().get("/")
    request.user = cast.alice
    asked: list[tuple[Hook[..., dict[str, Any]], Any]] = [
        (conversation_hooks.conversation_details, conversation),
        (conversation_hooks.page_details, request),
    ]
    for hook, argument in asked:
        seen = []
        for order in itertools.permutations(hook.handlers.values()):
            with monkeypatch.context() as patch:
                shuffled(hook, order, patch)
                merged: dict[str, Any] = {}
                for added in hook(argument):
                    assert not merged.keys() & added.keys()
                    merged |= added
                seen.append(merged)
        assert all(each == seen[0] for each in seen)
    extras = []
    handlers = conversation_hooks.message_details.handlers.values()
    for each_order in itertools.permutations(handlers):
        with monkeypatch.context() as patch:
            shuffled(conversation_hooks.message_details, each_order, patch)
            for message in messages:
                message.extras = {}
            conversation_hooks.message_details(messages)
            extras.append([message.extras for message in messages])
    assert all(each == extras[0] for each in extras)


def one(value: int) -> str:
    return f"one {value}"


def two(value: int) -> str:
    return f"two {value}"


def refuse(value: int) -> str:
    raise NotAllowed(f"not {value}")


@pytest.mark.parametrize("order", list(itertools.permutations([one, two])))
def test_handlers_run_in_the_order_of_their_names_and_once(order: tuple[Any, ...]) -> None:
    hook: Hook[[int], str] = Hook("test.hook")
    for handler in (*order, *order):
        hook.register(handler)
    assert hook(3) == ["one 3", "two 3"]
    assert list(hook.handlers) == [dotted_name(one), dotted_name(two)]
    hook.unregister(one)
    assert hook(3) == ["two 3"]


def test_a_handler_refuses_by_raising() -> None:
    hook: Hook[[int], str] = Hook("test.hook")
    hook.register(refuse)
    with pytest.raises(NotAllowed, match="not 3"):
        hook(3)


def test_a_robust_call_logs_a_failure_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    hook: Hook[[int], str] = Hook("test.hook")
    for handler in (one, refuse, two):
        hook.register(handler)
    with caplog.at_level(logging.ERROR, logger="grokweb.hooks"):
        assert hook.call_robust(3) == ["one 3", "two 3"]
    assert [(record.hook, record.handler) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("test.hook", dotted_name(refuse))
    ]
