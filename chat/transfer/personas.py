"""Exports and imports personas, custom instructions and saved prompts, and what a conversation has of them.

The file is described in docs/transfer.md. Texts that come in are saved as if their owner wrote them here:
with the limits of chat.personas and the rules of the site. Nothing that is here already is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.errors import ChatError
from chat.core.text import one_line
from chat.personas import services
from chat.personas.access import own_personas, own_prompts, site_persona_called
from chat.personas.models import Persona, SavedPrompt
from chat.personas.new_chats import get_new_chat_defaults, preferred_persona, save_new_chat_defaults
from chat.personas.sampling import settings_json
from chat.transfer.imported_conversation import (
    ImportedConversation,
    Unreadable,
    dict_of,
    list_of,
    storable,
    text_of,
)
from chat.transfer.upload import shown
from chat.transfer.versions import check_version, is_named

NAME, VERSION = "grokweb.personas", 1
OLDER_NAME = "grokweb.voice"  # of files from before version 0.2, which called `style` `manner`
NAME_CHARS = 1000  # characters read; chat.personas limits how many may be stored

Outcome = tuple[str, str]  # title, and why it was left out; empty if it was imported


@dataclass(frozen=True, slots=True)
class Kind:
    """Texts with a name. `text` is what theirs is called: in the file, in the model, and for `save`."""

    text: str
    own: Callable[[User], Any]
    save: Callable[..., Persona | SavedPrompt]
    limit: int
    label: Callable[[str], str]
    more: Callable[[int], str]


PERSONAS = Kind(
    "prompt",
    own_personas,
    services.save_persona,
    services.MAX_PERSONAS,
    lambda name: _("Persona “%(name)s”") % {"name": name},
    lambda n: ngettext("%(count)d more persona", "%(count)d more personas", n) % {"count": n},
)
PROMPTS = Kind(
    "text",
    own_prompts,
    services.save_prompt,
    services.MAX_PROMPTS,
    lambda name: _("Prompt “%(name)s”") % {"name": name},
    lambda n: ngettext("%(count)d more prompt", "%(count)d more prompts", n) % {"count": n},
)
KINDS = {"personas": PERSONAS, "prompts": PROMPTS}


def title() -> str:
    return _("Personas, instructions and prompts")


# --- Out --------------------------------------------------------------------------------------------------


def written(owner: User) -> dict[str, Any] | None:
    """Returns personas, prompts and instructions as `bring_in` reads them; None if there are none."""
    instructions = services.get_custom_instructions(owner)
    data: dict[str, Any] = {"instructions": None}
    if instructions.about or instructions.style:
        data["instructions"] = {name: getattr(instructions, name) for name in ("about", "style", "active")}
    if not instructions.compact:
        data["compact"] = False
    if chosen := _new_chats_written(owner):
        data["new_chats"] = chosen
    for part, kind in KINDS.items():
        data[part] = [{"name": each.name, kind.text: getattr(each, kind.text)} for each in kind.own(owner)]
    return {"format": NAME, "version": VERSION, **data} if any(data.values()) or "compact" in data else None


def _new_chats_written(owner: User) -> dict[str, Any] | None:
    chosen, persona = get_new_chat_defaults(owner), preferred_persona(owner)
    if not any(chosen.values()):
        return None
    named = {"name": persona.name, "own": persona.owner_id is not None} if persona else None
    return {"model": chosen["model"] or None, "persona": named}


def settings_written(conversation: Conversation) -> dict[str, Any]:
    """Returns settings as `import_settings` reads them. Of a persona of the site only the name is written."""
    stored = services.get_conversation_settings(conversation)
    persona: dict[str, Any] | None = None
    if stored.persona:
        own = stored.persona.owner_id is not None
        persona = {"name": stored.persona.name, "own": own}
        if own:
            persona["prompt"] = stored.persona.prompt
    return {"persona": persona, "settings": settings_json(stored.settings)}


# --- In: what is kept for all conversations ---------------------------------------------------------------


def fits(record: object) -> bool:
    return is_named(record, NAME, OLDER_NAME)


def bring_in(owner: User, record: dict[str, object]) -> list[Outcome]:
    """Imports personas, prompts and instructions, each completely or not at all."""
    check_version(record, VERSION)
    lists = all(isinstance(record.get(part, []), list) for part in KINDS)
    if not lists or not isinstance(record.get("instructions"), dict | None):
        raise Unreadable(_("Its contents are malformed."))
    outcomes = list(_instructions(owner, dict_of(record.get("instructions"))))
    outcomes += _compact(owner, record.get("compact"))
    for part, kind in KINDS.items():
        outcomes += _all_of(owner, kind, list_of(record.get(part)))
    outcomes += _new_chats(owner, dict_of(record.get("new_chats")))
    return outcomes


def _new_chats(owner: User, data: dict[str, object]) -> Iterator[Outcome]:
    """Chooses model and persona of new chats, after the personas of the file are here."""
    persona = _named_persona(owner, dict_of(data.get("persona")))
    chosen = {"model": text_of(data.get("model")), "persona": str(persona.pk) if persona else ""}
    if not any(chosen.values()):
        return
    what, here = _("Choices for new chats"), get_new_chat_defaults(owner)
    if here == chosen:
        yield what, _("They are here already.")
    elif any(here.values()):
        yield what, _("You have others here; they stay as they are.")
    else:
        try:
            save_new_chat_defaults(user=owner, **chosen)
        except ChatError as error:
            yield what, error.words
        else:
            yield what, ""


def _named_persona(owner: User, data: dict[str, object]) -> Persona | None:
    name = text_of(data.get("name"))
    if not name:
        return None
    return own_personas(owner).filter(name=name).first() if data.get("own") else site_persona_called(name)


def _instructions(owner: User, data: dict[str, object]) -> Iterator[Outcome]:
    style_name = "style" if "style" in data else "manner"
    about, style = (services.normalize(storable(text_of(data.get(name)))) for name in ("about", style_name))
    if not about and not style:
        return
    what, here = _("Your instructions"), services.get_custom_instructions(owner)
    if (here.about, here.style) == (about, style):
        yield what, _("They are here already.")
    elif here.about or here.style:
        yield what, _("You have others here; they stay as they are.")
    else:
        try:
            services.save_custom_instructions(
                user=owner, about=about, style=style, active=data.get("active") is True
            )
        except ChatError as error:
            yield what, error.words
        else:
            yield what, ""


def _compact(owner: User, compact: object) -> Iterator[Outcome]:
    """Turns summaries of long conversations off where the exporter had; they are on unless a person did."""
    here = services.get_custom_instructions(owner)
    if compact is False and here.compact:
        services.save_custom_instructions(
            user=owner, about=here.about, style=here.style, active=here.active, compact=False
        )
        yield _("Long conversations are not summarised"), ""


def _all_of(owner: User, kind: Kind, data: list[object]) -> Iterator[Outcome]:
    taken = set(kind.own(owner).values_list("name", flat=True))  # two of the same name in a file are two
    for each in data[: kind.limit]:
        name, text = _read(kind, dict_of(each))
        label = kind.label(shown(name) or "…")
        try:
            if _same(owner, kind, name, text):
                raise Unreadable(_("It is here already."))
            _save(owner, kind, name, text, taken=name in taken)
        except Unreadable as error:
            yield label, str(error)
        else:
            yield label, ""
    left = len(data) - kind.limit
    if left > 0:
        yield kind.more(left), _("At most %(limit)d are kept.") % {"limit": kind.limit}


def _read(kind: Kind, data: dict[str, object]) -> tuple[str, str]:
    """Returns name and text normalised as chat.personas stores them, so that duplicates are recognised."""
    name = one_line(storable(text_of(data.get("name"))[:NAME_CHARS]))
    return name, services.normalize(storable(text_of(data.get(kind.text))))


def _same(owner: User, kind: Kind, name: str, text: str) -> Any:
    return kind.own(owner).filter(name=name, **{kind.text: text}).first()


def _save(owner: User, kind: Kind, name: str, text: str, *, taken: bool) -> Any:
    """Saves like the settings page; raises Unreadable with the reason if refused."""
    if not name or not text:
        raise Unreadable(_("It has no name or no text."))
    if taken:
        raise Unreadable(_("Another one has this name here; it stays as it is."))
    try:
        return kind.save(owner=owner, name=name, **{kind.text: text})
    except ChatError as error:
        raise Unreadable(error.words) from None


# --- In: a conversation's ---------------------------------------------------------------------------------


def import_settings(owner: User, made: Conversation, draft: ImportedConversation) -> None:
    """Imports the persona and the settings, each completely or not at all; notes list what is left out."""
    persona = _persona(owner, draft) if draft.persona is not None else None
    settings = _settings(owner, draft) if draft.settings is not None else {}
    if persona or settings:
        services.set_conversation_settings(made, persona=persona, settings=settings)


def _persona(owner: User, draft: ImportedConversation) -> Persona | None:
    data = dict_of(draft.persona)
    name, text = _read(PERSONAS, data)
    if data.get("own") is False:
        found = site_persona_called(name)
        if found is None:
            _note_persona(draft, name, _("This site has no persona of this name."))
        return found
    here: Persona | None = _same(owner, PERSONAS, name, text)
    if here:
        return here
    try:
        taken = own_personas(owner).filter(name=name).exists()
        made: Persona = _save(owner, PERSONAS, name, text, taken=taken)
    except Unreadable as error:
        _note_persona(draft, name, str(error))
        return None
    draft.said.append(_("Its persona “%(name)s” came with it.") % {"name": made.name})
    return made


def _note_persona(draft: ImportedConversation, name: str, reason: str) -> None:
    words = _("Its persona “%(name)s” was left out: %(reason)s")
    draft.said.append(words % {"name": shown(name) or "…", "reason": reason})


def _settings(owner: User, draft: ImportedConversation) -> dict[str, Any]:
    try:
        found: dict[str, Any] = services.parse_conversation_settings(owner, {"settings": draft.settings})[
            "settings"
        ]
    except ChatError as error:
        words = _("Its settings of answers were left out: %(reason)s")
        draft.said.append(words % {"reason": one_line(storable(error.words))})
        return {}
    return found
