"""Says which files of a repository are fetched: weights, tokenizer, templates and settings, nothing else.

Nothing that can run code is among them: no Python, no pickled weights. A file that is not named here is not
fetched, whatever the repository says of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.base.lines import english
from inference.model_dir import grok2_tensors
from inference.model_dir.headers import INDEX, WHOLE, ModelUnusable, json_object

# What describe.py, our tokenizers and transformers read beside the weights.
SMALL = frozenset(
    {
        "config.json",
        "generation_config.json",
        *grok2_tensors.TOKENIZERS,
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "tekken.json",
        "chat_template.jinja",
        "chat_template.json",
        "preprocessor_config.json",
        "processor_config.json",
        "quantize_config.json",
        "quant_config.json",
        "hf_quant_config.json",
        INDEX,
    }
)
MOST_SMALL_BYTES = 200 * 2**20  # of one such file; the largest tokenizers have 35 MB
MOST_WEIGHT_BYTES = 10 * 2**40  # of one model
WEIGHTS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.safetensors")
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub describes it: one of the digests is "", `git_sha1` is that of a git blob."""

    name: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


def small_files(files: Mapping[str, RemoteFile], what: str) -> list[RemoteFile]:
    """Returns what is fetched before the weights, config.json first; raises ModelUnusable."""
    if "config.json" not in files:
        kinds = {Path(name).suffix.lower() for name in files}
        if ".gguf" in kinds:
            raise ModelUnusable(
                english(
                    "%(name)s has no config.json: it is no model that transformers saved; it holds GGUF "
                    "files, which llama-server serves (docs/engines.md)",
                    name=what,
                )
            )
        raise ModelUnusable(
            english("%(name)s has no config.json: it is no model that transformers saved", name=what)
        )
    chosen = sorted((files[name] for name in SMALL if name in files), key=lambda file: file.name)
    for file in chosen:
        _check(file, what, MOST_SMALL_BYTES)
    return sorted(chosen, key=lambda file: file.name != "config.json")


def weight_files(files: Mapping[str, RemoteFile], folder: Path, what: str) -> list[RemoteFile]:
    """Returns the safetensors files of a model; `folder` has its fetched config.json, and its index if there
    is one."""
    if _is_grok2(folder):
        names = grok2_tensors.weight_names(files, f"{what} on the hub")  # xAI's release has no index
    else:
        names = _named_weights(files, folder / INDEX, what)
    chosen = [files[name] for name in names]
    for file in chosen:
        _check(file, what, MOST_WEIGHT_BYTES)
    if sum(file.size for file in chosen) > MOST_WEIGHT_BYTES:
        raise ModelUnusable(
            english(
                "%(name)s: its weights are larger than any model: %(size)s GB", name=what, size=_gb(chosen)
            )
        )
    return chosen


def _is_grok2(folder: Path) -> bool:
    try:
        return grok2_tensors.is_grok2(json_object(folder / "config.json"))
    except ModelUnusable:
        return False  # the plan says what is wrong with it


def _named_weights(files: Mapping[str, RemoteFile], index: Path, what: str) -> list[str]:
    names = _indexed(index, what) if index.is_file() else [WHOLE]
    missing = [name for name in names if name not in files]
    if missing and WHOLE in files:
        names, missing = [WHOLE], []
    if missing and not index.is_file():
        others = sorted(name for name in files if name.endswith((".bin", ".pt", ".pth", ".gguf", ".h5")))
        raise ModelUnusable(_no_weights(what, others))
    if missing:
        raise ModelUnusable(
            english(
                "%(name)s: %(count)s of %(all)s weight files are missing on the hub: %(file)s; name another "
                "revision (after an @) or another repository",
                name=what,
                count=len(missing),
                all=len(names),
                file=missing[0],
            )
        )
    return names


def _no_weights(what: str, others: list[str]) -> str:
    if not others:
        return english(
            "%(name)s has no %(file)s: name a repository with safetensors files", name=what, file=WHOLE
        )
    return english(
        "%(name)s has no %(file)s: name a repository with safetensors files; %(other)s is not fetched, "
        "because its format can run code",
        name=what,
        file=WHOLE,
        other=others[0],
    )


def _gb(files: list[RemoteFile]) -> str:
    return f"{sum(file.size for file in files) / 1e9:,.1f}"


def _indexed(index: Path, what: str) -> list[str]:
    """Returns the names in an index, each of this folder alone."""
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted({str(name) for name in weight_map.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        names = []
    if not names or not all(WEIGHTS.fullmatch(name) for name in names):
        raise ModelUnusable(
            english(
                "%(name)s: its %(file)s names no weight files; name another revision (after an @)",
                name=what,
                file=INDEX,
            )
        )
    return names


def _check(file: RemoteFile, what: str, most: int) -> None:
    if not 0 <= file.size <= most:
        raise ModelUnusable(
            english(
                "%(name)s: %(file)s has %(size)s bytes; at most %(most)s are fetched",
                name=what,
                file=file.name,
                size=f"{file.size:,}",
                most=f"{most:,}",
            )
        )
    if not (SHA256.fullmatch(file.sha256) or SHA1.fullmatch(file.git_sha1)):
        raise ModelUnusable(
            english(
                "%(name)s: the hub gives no checksum for %(file)s, so it cannot be verified",
                name=what,
                file=file.name,
            )
        )
