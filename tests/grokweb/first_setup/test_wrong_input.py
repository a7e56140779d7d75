"""Each wrong input to the setup page is refused in one line."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from inference.base import settings_file
from inference.base.model_list.entries import path_in
from tests.grokweb.first_setup.page_client import PAGE, line, post, verbs


@pytest.mark.parametrize(
    ("step", "fields", "says"),
    [
        ("server", {"model": "x"}, "Enter the address of the server"),
        ("server", {"url": "http://127.0.0.1:1"}, "Enter the model&#x27;s name"),
        ("server", {"url": "ftp://a", "model": "x"}, "only http:// and https:// are possible"),
        ("server", {"url": "http://u:p@a", "model": "x"}, "put the key into GROKWEB_MODEL_KEY"),
        ("server", {"url": "http://a", "model": "x", "key": "k", "key_name": "K"}, "not both"),
        ("server", {"url": "http://a", "model": "x", "key": "two words"}, "the key has characters"),
        ("server", {"url": "http://a", "model": "x", "key_name": "sk-1"}, "A variable&#x27;s name has"),
        ("server", {"url": "http://a", "model": "x", "key_name": "UNSET_KEY"}, "UNSET_KEY is not in the"),
        ("try", {"url": "http://a", "model": "x", "key_name": "UNSET_KEY"}, "UNSET_KEY"),
        ("try", {"url": "http://169.254.169.254", "model": "x"}, "refuses the request"),
        ("name", {}, "Choose a model, or enter the name of one"),
        ("name", {"name": "nonsense"}, "is not the name of a model on a hub"),
        (
            "mail",
            {"host": "no host", "port": "25", "security": "tls", "sender": "a@example.org"},
            "Enter the name",
        ),
        (
            "mail",
            {"host": "h", "port": "0", "security": "tls", "sender": "a@example.org"},
            "The port is a number",
        ),
        ("mail", {"host": "h", "port": "25", "security": "x", "sender": "a@example.org"}, "Choose how"),
        (
            "mail",
            {"host": "h", "port": "25", "security": "tls", "user": "u", "sender": "a@b.org"},
            "the password",
        ),
        ("mail", {"host": "127.0.0.1", "port": "25", "security": "tls", "sender": "nobody"}, "The sender is"),
        (
            "mail",
            {"host": "127.0.0.1", "port": "1", "security": "tls", "sender": "a@b.org"},
            "does not answer",
        ),
        (
            "mail",
            {
                "host": "h",
                "port": "25",
                "security": "none",
                "user": "u",
                "password": "p",
                "sender": "a@b.org",
            },
            "Without encryption others could read",
        ),
        ("test-mail", {}, "Save a mail server first."),
        ("language", {"language": "xx"}, "There is no such language here."),
        ("nothing", {}, "There is no such step."),
    ],
)
def test_a_wrong_input_is_refused_in_one_line_and_changes_nothing(
    client: Client, settings: Any, step: str, fields: dict[str, str], says: str
) -> None:
    answer = post(client, step, **fields)
    assert answer.status_code == 400
    assert says in line(answer)
    assert not path_in(settings.DATA_DIR).exists()
    assert list((settings.DATA_DIR / "keys").glob("*")) == []
    assert settings_file.stored() == {}
    assert set(verbs()) <= {"ask model server"}


@pytest.mark.parametrize(
    ("step", "fields", "says"),
    [
        ("server", {"url": "ftp://a", "model": "x"}, "serveur 1 : seuls http:// et https:// sont possibles"),
        ("server", {"url": "http://a", "model": "x", "key": "two words"}, "la clé a des caractères"),
        ("name", {"name": "nonsense"}, "nonsense n’est pas le nom d’un modèle sur un dépôt"),
    ],
)
def test_a_line_for_operators_is_refused_in_the_readers_language(
    client: Client, step: str, fields: dict[str, str], says: str
) -> None:
    answer = client.post(PAGE, {"step": step, **fields}, headers={"Accept-Language": "fr"})
    assert says in line(answer)
