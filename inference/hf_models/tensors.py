"""Compares the tensors of a folder with those of the network that its config.json describes.

transformers fills a missing weight with random numbers and continues with a warning: the replies would be
noise. So names and shapes are compared first, from the headers alone. The network is built without memory
(torch's "meta" device), and transformers' own table of names says how its tensors are called in files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.core_model_loading import revert_weight_conversion

from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import Stored, first_line

log = logging.getLogger(__name__)

NAMED = 3  # names that a refusal lists


def check_tensors(config: Any, found: Mapping[str, Stored], path: Path) -> None:
    """Raises ModelUnusable unless every tensor of the network is in `found`, in its shape."""
    try:
        named = _named(config, found)
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelUnusable(f"config.json in {path} cannot be used: {first_line(error)}") from error
    wanted = {name: tuple(tensor.shape) for name, tensor in named.items()}
    missing = [name for name in wanted if name not in found]
    if len(missing) == len(wanted):
        raise ModelUnusable(
            f"no tensor of this network is in {path}: its names are like {min(found, default='none')}, "
            f"not like {min(wanted)}; save the whole model with save_pretrained"
        )
    if missing:
        raise ModelUnusable(
            f"{len(missing)} of {len(wanted)} tensors are missing in {path}: {_some(missing)}; "
            "download the weights again"
        )
    for name, shape in wanted.items():
        if found[name].shape != shape:
            raise ModelUnusable(
                f"{name} in {path} is {list(found[name].shape)}, config.json asks for {list(shape)}"
            )
    _check_extra(wanted, found, path)


def _named(config: Any, found: Mapping[str, Stored]) -> dict[str, Tensor]:
    """Returns the tensors of a network without memory, by the names they have in files like `found`."""
    maker: Any = AutoModelForCausalLM
    with torch.device("meta"):
        model = maker.from_config(config, trust_remote_code=False)
    state = {name: t for name, t in model.state_dict().items() if name not in model.all_tied_weights_keys}
    return names_in_files(model, state, found)


class _View(Tensor):
    """A tensor whose parts stay views: transformers' table of merged tensors would copy them."""

    def contiguous(self, *_: Any, **__: Any) -> Tensor:
        return self


def names_in_files(model: Any, state: Mapping[str, Tensor], found: Mapping[str, Stored]) -> dict[str, Tensor]:
    """Returns a network's tensors by the names they have in files: `state` has those of the class.

    Parts of merged tensors are views where the table of transformers only stacks and concatenates. Names may
    be those of released files or those of the classes, with or without the prefix of the network.
    """
    prefix = f"{model.base_model_prefix}."
    in_files = revert_weight_conversion(model, {name: t.as_subclass(_View) for name, t in state.items()})
    choices = [_spelled(names, way, prefix) for names, way in product((in_files, state), ("", "add", "drop"))]
    best = max(choices, key=lambda names: len(names.keys() & found.keys()))
    return {name: tensor.as_subclass(Tensor) for name, tensor in best.items()}


def _spelled(names: Mapping[str, Tensor], way: str, prefix: str) -> dict[str, Tensor]:
    """Returns the names with or without the prefix, both of which transformers loads."""
    if way == "add":
        return {prefix + name: tensor for name, tensor in names.items()}
    return {name.removeprefix(prefix) if way else name: tensor for name, tensor in names.items()}


def _check_extra(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, Stored], path: Path) -> None:
    """Refuses blocks, experts and biases that config.json leaves out: without them it is another network."""
    patterns = {_pattern(name) for name in wanted}
    extra = sorted(found.keys() - wanted.keys())
    cut = [
        name
        for name in extra
        if _pattern(name) in patterns or (name.endswith(".bias") and f"{name[:-5]}.weight" in wanted)
    ]
    if cut:
        raise ModelUnusable(
            f"{path} holds {len(cut)} tensors that config.json leaves out: {_some(cut)}; "
            "the two are not of one model"
        )
    if extra:
        log.warning("%s holds %d tensors that are not used: %s", path, len(extra), _some(extra))


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _some(names: Iterable[str]) -> str:
    """Returns the first names as a list in words."""
    listed = list(names)
    rest = ", …" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + rest
