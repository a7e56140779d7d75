"""Images on staff pages: listed without their names, and each sent, on record, when it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from chat.accounts.models import User
from chat.conversations.models import Message
from chat.core import audit
from chat.core.errors import NotFound
from chat.files import attaching, file_storage
from chat.files.access import image_for_staff
from chat.files.models import File
from chat.files.responses import image_for_staff_page, on_page
from chat.moderation.hooks import reported_images
from chat.sharing.access import shared_image_for_staff


@require_safe
def image(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Shows an image of a message to staff who may read that message, also after it was hidden."""
    assert isinstance(request.user, User)
    try:
        found = image_for_staff(request.user, pk)
        response = image_for_staff_page(found)
    except NotFound:
        raise Http404 from None
    record(request, found)
    return response


@require_safe
def shared_image(request: HttpRequest, share: UUID, number: int, pk: UUID) -> HttpResponse:
    """Shows an image of a shared page to staff who may read that page, also after it was taken down."""
    assert isinstance(request.user, User)
    try:
        found = shared_image_for_staff(request.user, share, number, pk)
        response = image_for_staff_page(found)
    except NotFound:
        raise Http404 from None
    record(request, found, share=share)
    return response


def record(request: HttpRequest, file: File, **detail: Any) -> None:
    """Records that a member of staff saw an image."""
    audit.record(request.user, "read image", audit.on_model(file), owner=audit.on_model(file.owner), **detail)


@reported_images.register
def images_of_reported(message_id: UUID) -> list[dict[str, Any]]:
    message = Message.objects.filter(pk=message_id, conversation__deleted_at=None).first()
    return images_of([message]).get(message.pk, []) if message else []


def images_of(messages: Sequence[Message]) -> dict[UUID, list[dict[str, Any]]]:
    """Returns what templates/admin/_images.html shows, by message."""
    return {
        key: [
            on_page(file, reverse("staff_image", args=[file.pk]))
            for file in carried
            if file_storage.has_pixels(file)
        ]
        for key, carried in attaching.of_messages(messages).items()
    }
