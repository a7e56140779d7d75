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
        rest = (
            "; it holds GGUF files, which llama-server serves (docs/engines.md)" if ".gguf" in kinds else ""
        )
        raise ModelUnusable(f"{what} has no config.json: it is no model that transformers saved{rest}")
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
        raise ModelUnusable(f"{what}: its weights are larger than any model: {_gb(chosen)} GB")
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
        rest = f"; {others[0]} is not fetched, because its format can run code" if others else ""
        raise ModelUnusable(f"{what} has no {WHOLE}: name a repository with safetensors files{rest}")
    if missing:
        raise ModelUnusable(
            f"{what}: {len(missing)} of {len(names)} weight files are missing on the hub: {missing[0]}; "
            "name another revision (after an @) or another repository"
        )
    return names


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
        raise ModelUnusable(f"{what}: its {INDEX} names no weight files; name another revision (after an @)")
    return names


def _check(file: RemoteFile, what: str, most: int) -> None:
    if not 0 <= file.size <= most:
        raise ModelUnusable(f"{what}: {file.name} has {file.size:,} bytes; at most {most:,} are fetched")
    if not (SHA256.fullmatch(file.sha256) or SHA1.fullmatch(file.git_sha1)):
        raise ModelUnusable(f"{what}: the hub gives no checksum for {file.name}, so it cannot be verified")
