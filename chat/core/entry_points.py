"""Lists every place where people's text enters the system, and the rules applied there.

A service that stores a text calls `check_text` with the name of the place. What the rules are, moderation
knows (chat/moderation/apps.py registers it); this table lies here so that every app can call it.

Each text field of each model belongs to one entry point: tests/chat/moderation/test_entry_points.py walks the
models and fails on a field that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum


class RuleScope(Enum):
    """Names which moderation rules are asked at an entry point."""

    PEOPLE = "people"  # the rules for what people write
    MODEL = "model"  # those for what the model writes
    ALL = "all"  # both: people bring what stands as the model's words, or the other way round
    NONE = "none"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    rules: RuleScope
    fields: tuple[str, ...] = ()  # "app.Model.field" that hold what enters here
    why: str = ""  # where no rule is asked


ENTRY_POINTS = {
    "display_name": EntryPoint(RuleScope.PEOPLE, ("accounts.User.display_name",)),
    "message": EntryPoint(RuleScope.PEOPLE, ("conversations.Message.text", "files.File.text")),
    "title": EntryPoint(RuleScope.PEOPLE, ("conversations.Conversation.title",)),
    "model_title": EntryPoint(RuleScope.ALL, ("conversations.Conversation.title",)),
    "folder": EntryPoint(RuleScope.PEOPLE, ("conversations.Folder.name",)),
    "file_name": EntryPoint(RuleScope.PEOPLE, ("files.File.name",)),
    "persona": EntryPoint(RuleScope.PEOPLE, ("personas.Persona.name", "personas.Persona.prompt")),
    "site_persona": EntryPoint(RuleScope.PEOPLE, ("personas.Persona.name", "personas.Persona.prompt")),
    "instructions": EntryPoint(
        RuleScope.PEOPLE, ("personas.CustomInstructions.about", "personas.CustomInstructions.style")
    ),
    "prompt": EntryPoint(RuleScope.PEOPLE, ("personas.SavedPrompt.name", "personas.SavedPrompt.text")),
    "system_text": EntryPoint(RuleScope.PEOPLE),  # personas and instructions once more, when they are used
    "import_question": EntryPoint(
        RuleScope.PEOPLE,
        (
            "conversations.Message.text",
            "conversations.Conversation.title",
            "files.File.name",
            "files.File.text",
        ),
    ),
    "import_answer": EntryPoint(
        RuleScope.ALL,
        (
            "conversations.Message.text",
            "conversations.Message.source_model",
            "transfer.ImportedCall.name",
            "transfer.ImportedCall.arguments",
            "transfer.ImportedCall.result",
        ),
    ),
    "edited_answer": EntryPoint(RuleScope.ALL, ("conversations.Message.text",)),
    "tool_result": EntryPoint(RuleScope.ALL, ("turns.ToolCall.result",)),
    "summary": EntryPoint(RuleScope.ALL, ("turns.Summary.text",)),  # by the model, from what people wrote
    "summary_edit": EntryPoint(RuleScope.PEOPLE, ("turns.Summary.text",)),
    # What was written before a rule was made is not published after it.
    "share_question": EntryPoint(RuleScope.PEOPLE, ("sharing.Share.title", "sharing.SharePage.messages")),
    "share_answer": EntryPoint(RuleScope.MODEL, ("sharing.SharePage.messages",)),
    "report": EntryPoint(
        RuleScope.NONE,
        ("moderation.Report.note", "moderation.Report.text", "moderation.Report.source"),
        why="A report quotes what it is about; refusing it would protect what it reports.",
    ),
    "share_options": EntryPoint(
        RuleScope.NONE,
        ("sharing.Share.options",),
        why="Settings of a policy, as the hash of a password; none of them is shown to readers.",
    ),
    "feedback": EntryPoint(
        RuleScope.NONE, ("feedback.Feedback.note",), why="As a report: only staff read it."
    ),
    "staff": EntryPoint(
        RuleScope.NONE,
        (
            "accounts.User.suspension_reason",
            "auth.Group.name",
            "model_cards.ModelCard.texts",
            "moderation.Decision.note",
            "moderation.Rule.name",
            "moderation.Rule.options",
            "moderation.Rule.words",
            "sharing.TakeDown.reason",
            "tools.ToolSettings.options",
        ),
        why="Written by staff, who make the rules and must be able to quote them.",
    ),
}

Checker = Callable[[RuleScope, Sequence[str]], None]
_checkers: list[Checker] = []


def register_checker(checker: Checker) -> None:
    """Registers moderation's function that raises RefusedByRule."""
    _checkers.append(checker)


def check_text(entry_point: str, *texts: str) -> None:
    """Raises RefusedByRule, in the rule's own words, if a rule forbids one of these texts at this place."""
    rules = ENTRY_POINTS[entry_point].rules
    if rules is RuleScope.NONE or not any(texts):
        return
    if not _checkers:
        raise RuntimeError("no moderation is installed: texts cannot be checked")
    for checker in _checkers:
        checker(rules, texts)
