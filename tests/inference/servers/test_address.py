"""GROKWEB_MODEL as the URL of a server: what it means, and the one line for each mistake."""

from __future__ import annotations

import pytest

from inference.engines import describe_model, engine_for
from inference.engines.openai import OpenAIServer
from inference.model_dir.headers import ModelUnusable
from inference.servers.address import parse_address


@pytest.mark.parametrize(
    ("configured", "bases", "model", "slug"),
    [
        ("http://localhost:11434/v1#qwen3:30b", ("http://localhost:11434/v1",), "qwen3:30b", "qwen3-30b"),
        ("http://localhost:8080#tiny", ("http://localhost:8080/v1",), "tiny", "tiny"),
        (
            "HTTPS://API.Example.com/v1/#xai/Grok 2",
            ("https://api.example.com/v1",),
            "xai/Grok 2",
            "xai-grok-2",
        ),
        ("http://a:1/v1,http://b:2/v1#m", ("http://a:1/v1", "http://b:2/v1"), "m", "m"),
        ("http://[::1]:8000/v1#é模", ("http://[::1]:8000/v1",), "é模", "e"),
    ],
)
def test_an_address_names_servers_and_a_model(
    configured: str, bases: tuple[str, ...], model: str, slug: str
) -> None:
    served = parse_address(configured)
    assert (served.bases, served.model, served.slug) == (bases, model, slug)
    entry, rest = engine_for(configured)
    assert isinstance(entry, OpenAIServer)
    assert rest == configured
    assert describe_model(configured).slug == slug


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        ("http://localhost:11434/v1", "the name of the model is missing"),
        ("http://localhost:11434/v1#", "the name of the model is missing"),
        ("http://me:hunter2@host/v1#m", "put the key into GROKWEB_MODEL_KEY"),
        ("http://host/v1?key=hunter2#m", "leave out the part after the ?"),
        ("http:///v1#m", "server 1 has no host"),
        ("http://host:port/v1#m", "server 1: "),
        ("http://a/v1,ftp://hunter2/v1#m", "server 2: only http:// and https://"),
        ("http://a/v1,http://a/v1#m", "a server is named twice"),
        ("http://a\x00b/v1#m", "printable ASCII"),
        ("http://a/v1#m\x07", "printable characters"),
        ("http://a/v1#" + "m" * 201, "200 printable"),
    ],
)
def test_a_wrong_address_is_refused_in_one_line_without_secrets(configured: str, said: str) -> None:
    with pytest.raises(ModelUnusable) as refused:
        describe_model(configured)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
