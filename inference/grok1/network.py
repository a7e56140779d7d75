"""Grok-1's constants and weights for the engine's step: tensors, read without transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.model_dir.admission import admit, serving_dtype
from inference.model_dir.describe import ModelFiles, ModelUnusable
from inference.model_dir.grok1_tensors import SCALE
from inference.model_dir.headers import json_object
from inference.networks.int8 import Int8Matrix, Weight, stack
from inference.networks.tensor_reader import TensorReader

T = TypeVar("T")


@dataclass(frozen=True)
class Constants:
    """The constants of config.json that the computation needs; the defaults are those of config.py."""

    vocab_size: int = 131_072
    hidden_size: int = 6_144
    intermediate_size: int = 32_768
    num_hidden_layers: int = 64
    num_attention_heads: int = 48
    num_key_value_heads: int = 8
    head_dim: int = 128
    num_local_experts: int = 8
    num_experts_per_tok: int = 2
    max_position_embeddings: int = 8_192
    embedding_multiplier: float = 78.38367176906169
    output_multiplier: float = 0.5773502691896257
    attention_multiplier: float = 0.08838834764831845
    attn_logit_softcap: float = 30.0
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    pad_token_id: int | None = 0

    @classmethod
    def of(cls, config: Any) -> Constants:
        """Returns the constants of a Grok1Config, or of the dict of a config.json."""
        given = config if isinstance(config, Mapping) else vars(config)
        return cls(**{one.name: given[one.name] for one in fields(cls) if one.name in given})


class Layer(NamedTuple):
    """One block's weights, ready for use: q, k and v as one matrix, the experts as a list."""

    qkv: Weight  # [(N + 2K) * D, H]
    o: Weight  # [H, N * D]
    router: Tensor  # [E, H], float32
    gate_up: Sequence[Weight]  # E times [2I, H]
    down: Sequence[Weight]  # E times [H, I]
    norms: tuple[Tensor, Tensor, Tensor, Tensor]  # [H] each, float32


@dataclass(frozen=True)
class Network:
    """The constants and all weights, from a folder (`load_for_serving`) or a model of transformers."""

    config: Constants
    embedding: Tensor  # [V, H]
    layers: Sequence[Layer]
    last_norm: Tensor  # [H], float32

    @property
    def precision(self) -> str:
        """Returns a name for logs and fingerprints: "float32", "int8 float32"."""
        int8 = isinstance(self.layers[0].o, Int8Matrix)
        return f"{'int8 ' if int8 else ''}{str(self.embedding.dtype).removeprefix('torch.')}"

    @classmethod
    def from_model(cls, model: Any) -> Network:
        """Returns a network that shares the weights of a Grok1ForCausalLM, except for q, k and v."""
        return cls.from_tensors(Constants.of(model.config), model.state_dict())

    @classmethod
    def from_tensors(
        cls, config: Constants, tensors: Mapping[str, Tensor], *, exact: bool = False
    ) -> Network:
        """`tensors` by the names of model.py; `exact` keeps int8 weights from rounding (networks/int8.py)."""
        layers = range(config.num_hidden_layers)
        return cls(
            config,
            tensors["model.embed_tokens.weight"],
            tuple(_layer(tensors, i, exact) for i in layers),
            tensors["model.norm.weight"].float(),
        )


def _layer(tensors: Mapping[str, Tensor], i: int, exact: bool) -> Layer:
    start = f"model.layers.{i}"
    first, second, third, fourth = (tensors[f"{start}.norm{j}.weight"].float() for j in range(4))
    return Layer(
        # A copy, but of the smallest part: 1 % of Grok-1.
        qkv=stack([_matrix(tensors, f"{start}.self_attn.{part}_proj.weight", exact) for part in "qkv"]),
        o=_matrix(tensors, f"{start}.self_attn.o_proj.weight", exact),
        router=tensors[f"{start}.moe.router.weight"].float(),
        gate_up=_experts(tensors, f"{start}.moe.experts.gate_up_proj", exact),
        down=_experts(tensors, f"{start}.moe.experts.down_proj", exact),
        norms=(first, second, third, fourth),
    )


def _matrix(tensors: Mapping[str, Tensor], name: str, exact: bool) -> Weight:
    values = tensors[name]
    return Int8Matrix(values, tensors[name + SCALE], exact) if values.dtype == torch.int8 else values


def _experts(tensors: Mapping[str, Tensor], name: str, exact: bool) -> tuple[Weight, ...]:
    experts = tensors[name].unbind(0)
    if experts[0].dtype != torch.int8:
        return experts
    scales = tensors[name + SCALE].unbind(0)
    return tuple(Int8Matrix(values, scale, exact) for values, scale in zip(experts, scales, strict=True))


def load_for_serving(
    path: Path,
    dtype: torch.dtype | None = None,
    *,
    slots: int = 1,
    exact: bool = False,
    device: str = "cpu",
    context: int = 0,
) -> Network:
    """Maps a model folder for the engine: weights of the right dtype are used without copying.

    Floats in `dtype`, by default what admission.serving_dtype says; the router and the norms in float32
    whatever it is. `exact` keeps int8 weights from rounding (networks/int8.py). Anything wrong is one
    `ModelUnusable` with one line.
    """
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else None
    name = "" if dtype is None else str(dtype).removeprefix("torch.")
    files = admit(path, slots, name, free, context=context)
    config = Constants.of(json_object(files.path / "config.json"))
    tensors = _read(files, dtype or getattr(torch, serving_dtype(files)), device)
    return Network.from_tensors(config, tensors, exact=exact)


def open_for_packing(path: Path, *, slots: int = 1, context: int = 0) -> NetworkOnDisk:
    """Opens a folder for the native step, which copies: each access reads a matrix anew, so that the model is
    not in memory twice. Otherwise as `load_for_serving`; bfloat16 weights stay bfloat16.
    """
    files = admit(path, slots, packed=True, context=context)
    return NetworkOnDisk(Constants.of(json_object(files.path / "config.json")), TensorsOnDisk(files))


class TensorsOnDisk(Mapping[str, Tensor]):
    """The tensors of a folder by name. Each access maps the file anew: the pages go when the tensor goes."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self._shards: dict[str, Path] = {}
        for shard in files.shards:
            with _opened(files, shard) as tensors:
                self._shards.update(dict.fromkeys(tensors.keys(), shard))

    def __iter__(self) -> Iterator[str]:
        return iter(self._shards)

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, name: str) -> Tensor:
        with _opened(self._files, self._shards[name]) as tensors:
            tensor: Tensor = tensors.get_tensor(name)
            return tensor


class NetworkOnDisk:
    """A network that is read while it is iterated: its embedding, its layers, their experts."""

    def __init__(self, config: Constants, tensors: TensorsOnDisk) -> None:
        self.config, self._tensors = config, tensors

    @property
    def embedding(self) -> Tensor:
        return self._tensors["model.embed_tokens.weight"]

    @property
    def layers(self) -> Sequence[Layer]:
        return _Each(self.config.num_hidden_layers, self._layer)

    @property
    def last_norm(self) -> Tensor:
        return self._tensors["model.norm.weight"].float()

    def _layer(self, i: int) -> Layer:
        def part(name: str) -> Sequence[Weight]:
            whole = f"model.layers.{i}.moe.experts.{name}_proj"
            return _Each(self.config.num_local_experts, lambda e: _experts(self._tensors, whole, True)[e])

        return _layer(self._tensors, i, exact=True)._replace(gate_up=part("gate_up"), down=part("down"))


class _Each(Sequence[T]):
    """Calls `read(i)` for each access to index i."""

    def __init__(self, count: int, read: Callable[[int], T]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, i: int) -> T: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[T]: ...
    def __getitem__(self, i: int | slice) -> T | Sequence[T]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(self._count))]
        if not 0 <= i < self._count:
            raise IndexError(i)
        return self._read(i)


def _read(files: ModelFiles, dtype: torch.dtype, device: str) -> dict[str, Tensor]:
    """Maps every tensor that has the dtype it is served in; reads and converts the others.

    A map of what is only converted would be in memory beside the result, until the last tensor goes.
    """
    weights: dict[str, Tensor] = {}
    reader = TensorReader(files.shards)
    for shard in files.shards:
        with _opened(files, shard, device) as tensors:
            for name in tensors.keys():  # noqa: SIM118 - no mapping
                wanted = served_dtype(name, reader.dtype(name), dtype)
                if device == "cpu" and wanted != reader.dtype(name):
                    weights[name] = torch.empty(reader.shape(name), dtype=wanted)
                    reader.fill(name, weights[name])
                else:
                    weights[name] = tensors.get_tensor(name).to(wanted)
    return weights


@contextmanager
def _opened(files: ModelFiles, shard: Path, device: str = "cpu") -> Iterator[Any]:
    try:
        with safe_open(shard, framework="pt", device=device) as tensors:
            yield tensors
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelUnusable(
            f"the weights in {files.path} cannot be read: {str(error).splitlines()[0]}"
        ) from error


def as_served(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns a tensor in the dtype that is served; the same memory where it has it."""
    return tensor.to(served_dtype(name, tensor.dtype, dtype))


def served_dtype(name: str, stored: torch.dtype, dtype: torch.dtype) -> torch.dtype:
    """Returns the dtype of a tensor where floats are served in `dtype`."""
    if stored == torch.int8 or name.endswith(SCALE):
        return stored
    return torch.float32 if "router" in name or "norm" in name else dtype
