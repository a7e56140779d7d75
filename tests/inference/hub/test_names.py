"""Names of models on a hub: which are accepted, what they are called here, and what a wrong one is told."""

from __future__ import annotations

import pytest

from inference.engines import describe_model
from inference.hub.names import parse_name
from inference.model_dir.headers import ModelUnusable


@pytest.mark.parametrize(
    ("configured", "slug", "folder"),
    [
        (
            "hf:ibm-granite/granite-3.1-1b-a400m-instruct",
            "granite-3-1-1b-a400m-instruct",
            "ibm-granite--granite-3.1-1b-a400m-instruct",
        ),
        ("hf:allenai/OLMoE-1B-7B-0924@v1.0", "olmoe-1b-7b-0924", "allenai--OLMoE-1B-7B-0924@v1.0"),
        ("hf:a/b@refs/pr/3", "b", "a--b@refs%2Fpr%2F3"),
        ("hf:a/__", "model", "a--__"),
    ],
)
def test_a_name_gives_queue_and_folder_their_names(configured: str, slug: str, folder: str) -> None:
    name = parse_name(configured)
    assert (str(name), name.slug, name.folder) == (configured, slug, folder)
    assert describe_model(configured).slug == slug


@pytest.mark.parametrize(
    "configured",
    [
        *("hf:", "hf:granite", "hf:/granite", "hf:ibm/", "hf:a/b/c", "hf:../b", "hf:a/..", "hf:.a/b"),
        *("hf:a/b--c", "hf:a/b.git", "hf:a b/c", "hf:a/\u202eb", "hf:https://huggingface.co/a/b"),
        f"hf:a/{'b' * 97}",
    ],
)
def test_a_wrong_name_is_refused_in_one_line_with_an_example(configured: str) -> None:
    with pytest.raises(ModelUnusable, match=r"write owner/name, as in hf:ibm-granite/") as refused:
        describe_model(configured)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("revision", ["", "..", "a..b", "-x", "a//b", "a b", "x.lock", "é"])
def test_a_wrong_revision_is_refused(revision: str) -> None:
    with pytest.raises(ModelUnusable, match="after the @ comes a branch, a tag or a commit"):
        parse_name(f"hf:a/b@{revision}")
