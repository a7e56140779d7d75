"""Maps the files of the release, with what each must hold, to the tensors of a model folder.

Matrices of the release are [in, out], ours [out, in]; experts have a dimension in front. Layers lie in the
*string* order of their numbers: 0, 1, 10, 11, ..., 19, 2, 20, ... so tensor00026 is layer 10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from inference.xai_import.constants import Sizes
from inference.xai_import.unpickle import ITEM_BYTES, Array

DTYPES = ("int8", "bfloat16", "float32")
STORED_BYTES = {"F32": 4, "BF16": 2, "I8": 1}  # safetensors' names of the types we write
MOST_PROGRAM = 2048  # bytes of a file that are not its arrays; the release has 147 or 323

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One pickle of the release: a float32 array, or int8 weights with bfloat16 scales."""

    index: int
    parameter: str  # in xAI's tree of parameters, for messages
    shape: Shape  # of the weights: [V, H], [H], [in, out] or [expert, in, out]
    groups: int  # rows of scales; 0 for a plain float32 array

    @property
    def name(self) -> str:
        return f"tensor{self.index:05d}_000"

    @property
    def arrays(self) -> list[tuple[str, Shape]]:
        """Returns kinds and shapes that the file must hold; row g of the scales is for input block g."""
        if not self.groups:
            return [("f4", self.shape)]
        *experts, _, out = self.shape
        return [("i1", self.shape), ("bf16", (*experts, self.groups, out))]

    @property
    def payload(self) -> int:
        return sum(math.prod(shape) * ITEM_BYTES[kind] for kind, shape in self.arrays)

    def fault(self, found: list[Array]) -> str | None:
        """Returns what is wrong with the arrays of a file; None if nothing is."""
        held = [(array.kind, array.shape) for array in found]
        if held == self.arrays:
            return None
        return f"holds {_listed(held)}; {self.parameter} is {_listed(self.arrays)}"


def _listed(arrays: list[tuple[str, Shape]]) -> str:
    return " and ".join(f"{kind} {list(shape)}" for kind, shape in arrays)


def source_files(sizes: Sizes) -> list[SourceFile]:
    """Returns every file of the release, in the order of its numbers."""
    h, i, e, g = sizes.hidden, sizes.inner, sizes.experts, sizes.groups
    layer_files: list[tuple[str, Shape, int]] = [
        ("moe/linear", (e, h, i), 1),
        ("moe/linear_1", (e, i, h), g),
        ("moe/linear_v", (e, h, i), 1),
        ("multi_head_attention/key", (h, sizes.narrow), 1),
        ("multi_head_attention/linear", (sizes.wide, h), g),
        ("multi_head_attention/query", (h, sizes.wide), 1),
        ("multi_head_attention/value", (h, sizes.narrow), 1),
        ("rms_norm", (h,), 0),
        ("rms_norm_1", (h,), 0),
        ("rms_norm_2", (h,), 0),
        ("rms_norm_3", (h,), 0),
        ("router", (h, e), 0),
    ]
    found = [
        SourceFile(0, "in_out_embed", (sizes.vocab, h), 0),
        SourceFile(1, "rms_norm", (h,), 0),
    ]
    for layer in layer_order(sizes.layers):
        for part, shape, groups in layer_files:
            found.append(SourceFile(len(found), f"decoder_layer_{layer}/{part}", shape, groups))
    return found


def layer_order(layers: int) -> list[int]:
    return sorted(range(layers), key=str)


@dataclass(frozen=True, slots=True)
class Target:
    """A tensor of the model folder, and the source of its bytes (convert.py)."""

    name: str
    stored: str  # F32, BF16 or I8
    shape: Shape
    sources: tuple[SourceFile, ...]  # two for gate_up_proj: expert by expert, linear above linear_v
    role: str  # "copied", "turned" (transposed), "weights", "scales" or "product" (weights times scales)

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * STORED_BYTES[self.stored]


def targets(sizes: Sizes, dtype: str) -> list[list[Target]]:
    """Returns every tensor in the model's order; what belongs together (int8 and scales) is one list."""
    files = source_files(sizes)
    found = [
        _plain("model.embed_tokens.weight", files[0]),
        _plain("model.norm.weight", files[1]),
    ]
    first_file = {layer: 2 + 12 * nth for nth, layer in enumerate(layer_order(sizes.layers))}
    for layer in range(sizes.layers):
        linear, linear_1, linear_v, key, output, query, value, *norms, router = files[first_file[layer] :][
            :12
        ]
        start = f"model.layers.{layer}"
        for part, matrix in (("q", query), ("k", key), ("v", value), ("o", output)):
            found.append(_quantized(f"{start}.self_attn.{part}_proj.weight", dtype, matrix))
        found.append(
            [Target(f"{start}.moe.router.weight", "F32", router.shape[::-1], (router,), role="turned")]
        )
        found.append(_quantized(f"{start}.moe.experts.gate_up_proj", dtype, linear, linear_v))
        found.append(_quantized(f"{start}.moe.experts.down_proj", dtype, linear_1))
        found += [_plain(f"{start}.norm{i}.weight", norm) for i, norm in enumerate(norms)]
    return found


def _plain(name: str, file: SourceFile) -> list[Target]:
    return [Target(name, "F32", file.shape, (file,), role="copied")]


def _quantized(name: str, dtype: str, *files: SourceFile) -> list[Target]:
    *experts, inputs, out = files[0].shape
    shape = (*experts, out * len(files), inputs)
    if dtype != "int8":
        return [Target(name, "BF16" if dtype == "bfloat16" else "F32", shape, files, role="product")]
    scales = (*experts, out * len(files), files[0].groups)
    return [
        Target(name, "I8", shape, files, role="weights"),
        Target(f"{name}_scale", "BF16", scales, files, role="scales"),
    ]
