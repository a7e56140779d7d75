"""Upgrades of the table of models, forwards and back."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, connection, transaction

from chat.conversations.models import Conversation
from chat.model_cards.models import ModelCard

pytestmark = [pytest.mark.django_db(transaction=True)]


def references(table: str, column: str) -> str:
    with connection.cursor() as cursor:
        return str(connection.introspection.get_relations(cursor, table)[column][1])


def rights(group_pk: int) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.app_label, p.codename FROM auth_group_permissions g "
            "JOIN auth_permission p ON p.id = g.permission_id "
            "JOIN django_content_type t ON t.id = p.content_type_id WHERE g.group_id = %s",
            [group_pk],
        )
        return [(str(app), str(name)) for app, name in cursor.fetchall()]


def delete_row(slug: str) -> None:
    """Deletes a model as no code of ours does, without asking what refers to it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM model_cards_modelcard WHERE slug = %s", [slug])


def test_an_announced_default_is_forgotten_and_the_card_stays(migrate: Any, model_card: ModelCard) -> None:
    migrate("conversations", "0004_message_origin")
    with connection.cursor() as cursor:
        cursor.execute("SELECT slug, is_default FROM conversations_modelcard")
        assert [(slug, bool(default)) for slug, default in cursor.fetchall()] == [("scripted", True)]
    card = migrate("conversations", "0005_model_choice").get_model("conversations", "ModelCard").objects.get()
    assert (card.slug, card.is_default, card.is_hidden, card.is_retired) == ("scripted", False, False, False)
    assert (card.successor, card.last_seen_at) == (None, None)


def test_the_table_moves_to_its_app_and_back_with_rows_keys_and_rights(
    migrate: Any, cast: Any, model_card: ModelCard
) -> None:
    elder = ModelCard.objects.create(slug="elder", name="Elder", is_retired=True, successor=model_card)
    talk = Conversation.objects.create(owner=cast.alice, model=elder, title="Soup")
    group = Group.objects.create(name="model staff")
    right = Permission.objects.get(content_type__app_label="model_cards", codename="change_modelcard")
    group.permissions.add(right)

    old = migrate("model_cards", None)
    assert old.get_model("conversations", "ModelCard").objects.get(slug="elder").successor_id == "scripted"
    assert old.get_model("conversations", "Conversation").objects.get(pk=talk.pk).model_id == "elder"
    assert references("conversations_conversation", "model_id") == "conversations_modelcard"
    assert references("feedback_feedback", "model_id") == "conversations_modelcard"
    assert rights(group.pk) == [("conversations", "change_modelcard")]

    new = migrate("conversations", "0007_model_cards")
    assert new.get_model("model_cards", "ModelCard").objects.get(slug="elder").successor_id == "scripted"
    assert new.get_model("conversations", "Conversation").objects.get(pk=talk.pk).model_id == "elder"
    assert references("conversations_conversation", "model_id") == "model_cards_modelcard"
    assert references("feedback_feedback", "model_id") == "model_cards_modelcard"
    assert references("model_cards_modelcard", "successor_id") == "model_cards_modelcard"
    assert rights(group.pk) == [("model_cards", "change_modelcard")]
    with pytest.raises(IntegrityError):
        delete_row("elder")
