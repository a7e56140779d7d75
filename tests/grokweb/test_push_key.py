"""The operator's key for notifications: made by a command, checked at the start, never shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from chat.push import keys
from chat.push.encryption import public_key
from grokweb.settings import push
from inference.base import env
from inference.base.env import InvalidSetting


def made(*args: str) -> str:
    out = io.StringIO()
    call_command("push_key", *args, stdout=out)
    return out.getvalue().strip()


def test_a_key_that_was_made_is_accepted_from_the_variable_and_from_a_file(tmp_path: Path) -> None:
    printed, file = made(), tmp_path / "push.key"
    assert str(file) in made("--file", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    with env.trying({"GROKWEB_PUSH_KEY": printed, "GROKWEB_PUSH_KEY_FILE": ""}):
        assert push.configured_key() == printed
    with env.trying({"GROKWEB_PUSH_KEY": "", "GROKWEB_PUSH_KEY_FILE": str(file)}):
        assert push.configured_key() == file.read_text().strip() != printed
    assert len(keys.decode(public_key(printed))) == 65


def test_a_key_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "push.key"
    made("--file", str(file))
    before = file.read_text()
    with pytest.raises(CommandError, match="exists"):
        made("--file", str(file))
    with pytest.raises(CommandError, match="No such file"):
        made("--file", str(tmp_path / "absent" / "push.key"))
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("", "is empty"),
        ("secret-word", "push_key` makes one"),
        (b"\xff", "not text"),
    ],
)
def test_a_wrong_file_is_named_without_its_content(
    tmp_path: Path, content: str | bytes | None, words: str
) -> None:
    file = tmp_path / "push.key"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with (
        env.trying({"GROKWEB_PUSH_KEY": "", "GROKWEB_PUSH_KEY_FILE": str(file)}),
        pytest.raises(InvalidSetting, match=words) as error,
    ):
        push.configured_key()
    assert f"GROKWEB_PUSH_KEY_FILE={file}" in str(error.value)
    assert "secret-word" not in str(error.value)


def test_a_wrong_variable_is_named_without_its_value() -> None:
    with (
        env.trying({"GROKWEB_PUSH_KEY": "secret-word", "GROKWEB_PUSH_KEY_FILE": ""}),
        pytest.raises(InvalidSetting, match="GROKWEB_PUSH_KEY is no key") as error,
    ):
        push.configured_key()
    assert "secret-word" not in str(error.value)
    with (
        env.trying({"GROKWEB_PUSH_KEY": "a", "GROKWEB_PUSH_KEY_FILE": "b"}),
        pytest.raises(InvalidSetting, match="not both"),
    ):
        push.configured_key()
