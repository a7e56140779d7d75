"""Recognises paths that are no supported model folder, and says in one line what to do. No torch.

Each refusal names the cause and the next step; describe() in describe.py calls it first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.base.lines import english
from inference.model_dir.grok1_tensors import FLOATS
from inference.model_dir.headers import ModelUnusable

SERVED = "GROKWEB_MODEL=http://HOST:PORT/v1#NAME"
# Classes of transformers that lose their state between two parts of a prompt, by model type.
FORGETFUL = frozenset(("falcon_mamba", "jamba", "mamba", "nemotron_h", "recurrent_gemma", "rwkv", "xlstm"))
# transformers, MLX, GPTQ's own tool, ExLlama and others: the key of config.json, or the file, that says so.
QUANTISED_KEYS = ("quantization_config", "quantization", "compression_config")
UNPACKED = ("fp8", "mxfp4")  # values of quant_method that are read: floats of 8 and 4 bits with factors
QUANTISED_FILES = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")
NO_WEIGHTS = ("I64", "I16", "BOOL", "F64", "C64")  # of buffers and masks, hardly of quantised weights
QUANTISED_PARTS = ("qweight", "qzeros", "quant_state", "quant_map", "weight_packed", "absmax", "g_idx")
CACHED_MODEL = re.compile(r"models--(?:(?P<owner>.+?)--)?(?P<model>.+)")


def refuse_file(path: Path) -> None:
    """Raises ModelUnusable for a path that is no folder."""
    with path.open("rb") as data:
        is_gguf = data.read(4) == b"GGUF"
    if is_gguf or path.suffix.lower() == ".gguf":
        raise ModelUnusable(_gguf_words(path))
    raise ModelUnusable(
        english("no model at %(path)s: it is a file; give the folder that holds config.json", path=path)
    )


def refuse_without_config(path: Path) -> None:
    """Raises ModelUnusable for a folder that has no config.json, where its other files say why."""
    names = sorted(file.name for file in path.iterdir())
    if (path / "adapter_config.json").is_file():
        raise ModelUnusable(adapter_words(path))
    if "ckpt-0" in names or any(re.fullmatch(r"tensor\d{5}_\d{3}", name) for name in names):
        release = path / "ckpt-0" if "ckpt-0" in names else path
        raise ModelUnusable(
            english(
                "%(path)s is xAI's release of Grok-1: turn it into a model folder with `manage.py "
                "import_grok1 %(release)s OUT_DIR`, and give that",
                path=path,
                release=release,
            )
        )
    if (path / "snapshots").is_dir():
        raise ModelUnusable(_cache_words(path))
    cached = [name for name in names if name.startswith("models--")]
    if cached:
        raise ModelUnusable(
            english(
                "%(path)s is a cache of several models; give one folder of it, %(folder)s",
                path=path,
                folder=f"{cached[0]}/snapshots/…",
            )
        )
    if (name := _first(names, ".gguf")) is not None:
        raise ModelUnusable(_gguf_words(english("%(file)s in %(folder)s", file=name, folder=path)))
    if "params.json" in names or _first(names, ".pth") is not None:
        raise ModelUnusable(
            english(
                "no config.json in %(path)s: it holds a model in its maker's own format; give the folder of "
                "the same model as transformers saves it",
                path=path,
            )
        )
    within = [name for name in names if (path / name / "config.json").is_file()]
    if within:
        raise ModelUnusable(
            english(
                "no config.json in %(path)s, but there is one in %(folder)s: give that folder",
                path=path,
                folder=within[0],
            )
        )


def _gguf_words(what: object) -> str:
    return english(
        "%(what)s is GGUF, which is not read here; give the folder with the safetensors files of the same "
        "model, or run `llama-server -m FILE --port 8080` (llama.cpp) and give "
        "GROKWEB_MODEL=http://localhost:8080/v1#NAME",
        what=what,
    )


def adapter_words(path: Path) -> str:
    """Says that a folder holds an adapter alone, and for which model, if that is a short name."""
    try:
        base = json.loads((path / "adapter_config.json").read_text())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        base = None
    if isinstance(base, str) and re.fullmatch(r"[\w./-]{1,100}", base):
        return english(
            "%(path)s holds an adapter alone for %(base)s: merge it into its model (peft: merge_and_unload)",
            path=path,
            base=base,
        )
    return english(
        "%(path)s holds an adapter alone: merge it into its model (peft: merge_and_unload)", path=path
    )


def refuse_by_type(model_type: str, path: Path) -> None:
    """Raises ModelUnusable for state-space models that transformers can only run on whole prompts."""
    if model_type in FORGETFUL:
        raise ModelUnusable(
            english(
                "%(path)s is a state-space model (%(type)s), which loses its state here between parts of a "
                "prompt; run it on a server of its own and give %(served)s",
                path=path,
                type=model_type,
                served=SERVED,
            )
        )


def quantised_as(config: Mapping[str, Any], path: Path) -> str:
    """Returns the method of packed weights that are unpacked as they are loaded, "" for floats. Raises
    ModelUnusable for other weights that are not floats, whichever tool made them."""
    given = next((config[key] for key in QUANTISED_KEYS if config.get(key) is not None), None)
    file = next((name for name in QUANTISED_FILES if (path / name).is_file()), None)
    if given is None and file is None:
        return ""
    method = given.get("quant_method") or given.get("mode") if isinstance(given, dict) else None
    if method in UNPACKED and file is None:
        return str(method)
    named = f" ({method})" if isinstance(method, str) and re.fullmatch(r"[\w-]{1,40}", method) else ""
    raise ModelUnusable(quantised_words(path, named))


def quantised_words(path: Path, detail: str = "") -> str:
    return english(
        "%(path)s holds quantised weights%(detail)s; of this model type only float ones are served: get the "
        "float32, float16 or bfloat16 weights of the same model (or FP8, MXFP4), or run it with vLLM and "
        "give %(served)s",
        path=path,
        detail=detail,
        served=SERVED,
    )


def refuse_numbers_other_than_floats(dtypes: Mapping[str, str], path: Path, method: str = "") -> None:
    """Raises ModelUnusable where a tensor is no float32, float16 or bfloat16, nor one that `method` makes.
    `dtypes` by name."""
    parts = [name for name in dtypes if name.rpartition(".")[2] in QUANTISED_PARTS]
    packed = {"fp8": ("F8_E4M3", "F8_E5M2"), "mxfp4": ("U8",)}.get(method, ())
    other = sorted(name for name, dtype in dtypes.items() if dtype not in FLOATS + packed)
    for name in (*parts, *other):
        if name not in parts and dtypes[name] in NO_WEIGHTS:
            raise ModelUnusable(f"{name} in {path} is {dtypes[name]}, not a float of 32 or 16 bits")
        raise ModelUnusable(quantised_words(path, f" ({name} is {dtypes[name]})"))


def cached_name(path: Path) -> str | None:
    """Returns "Org/Name" of a folder models--Org--Name/snapshots/HASH in a Hugging Face cache."""
    resolved = path.resolve()
    match = (
        CACHED_MODEL.fullmatch(resolved.parent.parent.name) if resolved.parent.name == "snapshots" else None
    )
    if match is None:
        return None
    return f"{match['owner']}/{match['model']}" if match["owner"] else match["model"]


def _cache_words(path: Path) -> str:
    found = sorted(file.name for file in (path / "snapshots").iterdir() if file.is_dir())
    if not found:
        return english(
            "%(path)s is a Hugging Face cache folder without any snapshot: download the model again",
            path=path,
        )
    main = path / "refs" / "main"
    named = main.read_text().strip() if main.is_file() else ""
    chosen = named if named in found else found[0]
    return english(
        "%(path)s is the parent of a Hugging Face cache folder: give %(folder)s",
        path=path,
        folder=path / "snapshots" / chosen,
    )


def _first(names: list[str], ending: str) -> str | None:
    return next((name for name in names if name.lower().endswith(ending)), None)
