"""Reads one page of a shared copy as its readers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from chat.conversations.models import Message, Role
from chat.conversations.origins import Origin, origin_of, origin_words
from chat.core.errors import NotFound
from chat.files import file_storage
from chat.files.models import Attachment, File, Kind
from chat.files.responses import on_page
from chat.sharing.models import Share, SharePage
from chat.sharing.render import prompt_html


@dataclass(slots=True)
class Page:
    """The part of a share that a reader sees at once. render_jobs.py makes the `html` of its messages."""

    share: Share
    title: str
    number: int
    messages: list[dict[str, Any]]
    imported: bool  # whether some answers were not written by the model here

    def replies(self) -> list[str]:
        """Returns the texts whose HTML takes time: Markdown."""
        return [each["text"] for each in self.messages if _is_markdown(each)]

    def with_html(self, replies: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the messages for the template; `replies` is the HTML of `replies()`."""
        made = iter(replies)
        return [
            {
                **{name: value for name, value in each.items() if name != "text"},
                "html": next(made) if _is_markdown(each) else prompt_html(each["text"]),
            }
            for each in self.messages
        ]


def _is_markdown(message: dict[str, Any]) -> bool:
    return message["role"] == Role.ASSISTANT and not message["hidden"]


def readable(share: Share, number: int = 1) -> Page:
    """Returns a page without the text of the messages that moderation hid since. The title may be made of a
    question, so it goes with the first hidden one, whichever that was. Raises NotFound for no such page."""
    page = SharePage.objects.filter(share=share, number=number).first()
    if page is None:
        raise NotFound
    hidden = hidden_since(share)
    origins = origins_in(share, page.messages)
    messages = [
        {**each, "text": "", "thoughts": "", "files": [], "images": [], "hidden": True, "origin": ""}
        if each["id"] in hidden
        else {"files": [], **each, "hidden": False, "origin": origin_words(origins.get(each["id"]))}
        for each in page.messages
    ]
    messages = with_images(messages, _address_for(share, number))
    return Page(share, "" if hidden else share.title, number, messages, bool(origins))


def _address_for(share: Share, number: int) -> Callable[[str], str]:
    return lambda pk: reverse("shared_image", args=[share.token, number, pk])


def with_images(
    messages: list[dict[str, Any]],
    address: Callable[[str], str],
    is_shown: Callable[[File], bool] = file_storage.is_shown,
) -> list[dict[str, Any]]:
    """Returns the messages of a page with their images as pages show them. Of one that is gone, as with a
    deleted question, the name is left, also where another version of the question still has it; so is that
    of an image that staff hid. Staff see that, too, with another `is_shown`.
    """
    with_some = [message["id"] for message in messages if message.get("images")]
    if not with_some:
        return messages
    attached = Attachment.objects.filter(message__in=with_some, file__kind=Kind.IMAGE)
    shown = {
        (str(each.message_id), str(each.file_id)): on_page(each.file, address(str(each.file_id)))
        for each in attached.select_related("file").defer("file__text")
        if is_shown(each.file)
    }
    return [_with_images(message, shown) for message in messages]


def _with_images(message: dict[str, Any], shown: Mapping[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    images = [(each["name"], shown.get((message["id"], each["id"]))) for each in message.get("images", [])]
    gone = [name for name, image in images if image is None]
    here = [image for _, image in images if image is not None]
    return {**message, "images": here, "files": [*gone, *message.get("files", [])]}


def origins_in(share: Share, copied: list[dict[str, Any]]) -> dict[str, Origin]:
    """Returns origins by message id. Copies made before origins were stored get them from the messages."""
    answers = [each for each in copied if each["role"] == Role.ASSISTANT]
    found = {each["id"]: each["origin"] for each in answers if "origin" in each}
    older = [each["id"] for each in answers if "origin" not in each]
    if older:
        theirs = Message.objects.filter(conversation=share.conversation_id, pk__in=older)
        imported = theirs.exclude(source="").prefetch_related("steps").defer("text")
        found = {str(message.pk): origin_of(message) for message in imported} | found
    return {key: origin for key, origin in found.items() if origin}


def hidden_since(share: Share) -> set[str]:
    hidden = Message.objects.filter(conversation=share.conversation_id, hidden_at__isnull=False)
    return {str(pk) for pk in hidden.values_list("pk", flat=True)}
