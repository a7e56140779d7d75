"""Converts a Grok-1 folder with float weights to int8: `python -m inference.grok1.quantize SRC OUT`.

The projections of the attention and the experts become int8 with bfloat16 scales (networks/int8.py);
embedding, router and norms stay as they are. It uses a few times the memory of the largest tensor, whatever
the size of the model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from inference.model_dir import manifest
from inference.model_dir.describe import GROK1, ModelUnusable, describe
from inference.model_dir.grok1_tensors import INT8, SCALE, is_int8, tensors_of
from inference.model_dir.headers import INDEX, WHOLE, json_object
from inference.networks.int8 import quantise

SHARD_BYTES = 4 * 2**30
COPIED = ("tokenizer.model", "grokweb.json", "generation_config.json", "README.md", "LICENSE", "NOTICE")


def quantise_folder(source: Path, out: Path, group_size: int = 0, shard_bytes: int = SHARD_BYTES) -> None:
    """Writes `out`, which must not exist yet. `group_size` inputs share a scale; 0: all inputs of a row.

    Raises ModelUnusable for a source that is no float Grok-1 folder, ValueError for sizes that do not divide.
    """
    files = describe(source)
    config = json_object(source / "config.json")
    if files.model_type != GROK1 or is_int8(config, source):
        raise ModelUnusable(f"{source} is no Grok-1 folder with float weights")
    matrices = {one.name: one.shape[-1] for one in tensors_of(config, source) if one.matrix}
    for name, inputs in matrices.items():
        if group_size and inputs % group_size:
            raise ValueError(f"{name} has {inputs} inputs: no multiple of a group size of {group_size}")
    out.mkdir(parents=True)
    _save(_tensors(files.shards, matrices, group_size), out, shard_bytes)
    changed = config | {"quantization_config": {"quant_method": INT8}}
    (out / "config.json").write_text(json.dumps(changed, indent=2, sort_keys=True) + "\n")
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    made = {file.name: manifest.entry_of(file) for file in sorted(out.iterdir())}
    manifest.write(out, made, made_by="inference.grok1.quantize")
    describe(out)


def _tensors(
    shards: tuple[Path, ...], matrices: Mapping[str, int], group_size: int
) -> Iterator[dict[str, Tensor]]:
    """Yields each tensor as it is, or as integers and scales."""
    for shard in shards:
        with safe_open(shard, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118 - no mapping
                tensor = stored.get_tensor(name)
                if name not in matrices:
                    yield {name: tensor}
                    continue
                groups = matrices[name] // group_size if group_size else 1
                if tensor.dim() == 2:
                    values, scale = quantise(tensor, groups)
                else:  # expert by expert
                    parts = [quantise(expert, groups) for expert in tensor]
                    values, scale = (torch.stack(part) for part in zip(*parts, strict=True))
                yield {name: values, name + SCALE: scale}


def _save(tensors: Iterator[dict[str, Tensor]], out: Path, shard_bytes: int) -> None:
    """Writes one file, or several of about `shard_bytes` and their index."""
    shards: list[list[str]] = []
    held: dict[str, Tensor] = {}

    def close() -> None:
        part = out / f"part-{len(shards)}.safetensors"
        save_file(held, part, metadata={"format": "pt"})
        part.chmod(0o644)  # safetensors makes it the owner's alone
        shards.append(list(held))
        held.clear()

    for some in tensors:
        size = sum(tensor.nbytes for tensor in [*held.values(), *some.values()])
        if held and size > shard_bytes:
            close()
        held |= some
    close()
    if len(shards) == 1:
        (out / "part-0.safetensors").rename(out / WHOLE)
        return
    places: dict[str, str] = {}
    for i, names in enumerate(shards):
        name = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        (out / f"part-{i}.safetensors").rename(out / name)
        places |= dict.fromkeys(names, name)
    index: dict[str, Any] = {"metadata": {}, "weight_map": dict(sorted(places.items()))}
    (out / INDEX).write_text(json.dumps(index, indent=2) + "\n")


def main(given: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.grok1.quantize", description=__doc__)
    parser.add_argument("source", type=Path, metavar="SRC_DIR")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument(
        "--group-size", type=int, default=0, metavar="N", help="inputs that share a scale (default: a row)"
    )
    asked = parser.parse_args(given)
    try:
        quantise_folder(asked.source, asked.out, asked.group_size)
    except FileExistsError:
        print(f"{asked.out} exists already", file=sys.stderr)  # noqa: T201
        return 2
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    before, after = describe(asked.source).weight_bytes, describe(asked.out).weight_bytes
    print(f"{asked.out}: {after / 1e6:,.1f} MB of weights, {before / 1e6:,.1f} MB before")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
