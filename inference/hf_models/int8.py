"""Makes the matrices of a model of transformers int8 while it is loaded; networks/int8.py multiplies.

Projections and experts become int8 with one scale for each output; embedding, head, norms and routers stay
floats. Experts take part where their class lets others compute them (`use_experts_implementation`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from inference.networks.int8 import Int8Matrix, quantise

NAME = "grokweb_int8_stock"  # of the experts' implementation
KEPT = ("gate", "router", "shared_expert_gate", "lm_head")  # last parts of names of modules that stay floats
EXPERTS = ("gate_up_proj", "up_proj", "down_proj")
SCALE = "_scale"
AT_ONCE = 2**21  # weights that are rounded at once


class Int8Linear(nn.Module):
    """A projection whose weight [out, in] is int8."""

    weight: Tensor
    weight_scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        device = linear.weight.device
        self.register_buffer("weight", torch.empty(linear.weight.shape, dtype=torch.int8, device=device))
        self.register_buffer("weight_scale", _scales(self.out_features, device=device))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        out = Int8Matrix(self.weight, self.weight_scale).times(flat).view(*x.shape[:-1], -1)
        return out if self.bias is None else out + self.bias


class Destination:
    """An int8 tensor that takes floats: `values` in the shape of the parameter, `scale` expanded to it."""

    def __init__(self, values: Tensor, scale: Tensor) -> None:
        self.values, self.scale = values, scale


def make_int8(model: nn.Module) -> dict[str, Destination]:
    """Replaces the parameters of projections and experts; returns where their weights go, by name."""
    made: dict[str, Destination] = {}
    head = model.get_output_embeddings()  # type: ignore[operator]
    for name, module in list(model.named_modules()):
        if type(module) is nn.Linear and module is not head and name.rpartition(".")[2] not in KEPT:
            linear = Int8Linear(module)
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, linear)
            made[f"{name}.weight"] = Destination(
                linear.weight, linear.weight_scale.expand(linear.weight.shape)
            )
        elif _are_experts(module):
            made |= _replace_experts(module, name)
    return made


def _are_experts(module: nn.Module) -> bool:
    return hasattr(module, "is_transposed") and not getattr(module, "has_post_expert_norm", False)


def _replace_experts(module: Any, name: str) -> dict[str, Destination]:
    made = {}
    for part in EXPERTS:
        old = getattr(module, part, None)
        if old is None:
            continue
        count, *sizes = old.shape
        out, inputs = reversed(sizes) if module.is_transposed else sizes
        values = torch.empty(count, out, inputs, dtype=torch.int8, device=old.device)
        scale = _scales(count, out, device=old.device)  # [E, out, 1]
        del module._parameters[part]
        module.register_buffer(part, values)
        module.register_buffer(part + SCALE, scale)
        spread = scale.expand(values.shape)
        made[f"{name}.{part}"] = (
            Destination(values.transpose(1, 2), spread.transpose(1, 2))
            if module.is_transposed
            else Destination(values, spread)
        )
    module.config._experts_implementation_internal = NAME
    return made


def _scales(*shape: int, device: torch.device) -> Tensor:
    return torch.ones(*shape, 1, dtype=torch.bfloat16, device=device)


def store(floats: Tensor, values: Tensor, scale: Tensor) -> None:
    """Quantises a matrix, or several, into int8 `values` of the same shape. `scale` is expanded over the
    inputs: the dimension in which it does not move. Some outputs at a time: rounding copies its floats."""
    if floats.dim() > 2:
        for matrix in range(len(floats)):
            store(floats[matrix], values[matrix], scale[matrix])
        return
    inputs = next(i for i in range(scale.dim()) if scale.stride(i) == 0)
    rows, places, scales = floats.movedim(inputs, -1), values.movedim(inputs, -1), scale.select(inputs, 0)
    at_once = max(1, AT_ONCE * len(rows) // max(1, rows.numel()))
    for first in range(0, len(rows), at_once):
        some = slice(first, first + at_once)
        made, fitting = quantise(rows[some].contiguous())
        places[some].copy_(made)
        scales[some].copy_(fitting.squeeze(-1))


def int8_experts(experts: Any, x: Tensor, chosen: Tensor, gates: Tensor) -> Tensor:
    """Computes experts with int8 parameters: x [T, H], chosen and gates [T, k] -> [T, H]."""
    first = EXPERTS[0] if experts.has_gate else EXPERTS[1]
    out = torch.zeros_like(x)
    for e in sorted(set(chosen.flatten().tolist())):
        if e >= experts.num_experts:
            continue
        token, choice = torch.where(chosen == e)
        inner = _project(experts, first, e, x[token])
        inner = experts._apply_gate(inner) if experts.has_gate else experts.act_fn(inner)
        y = _project(experts, EXPERTS[2], e, inner) * gates[token, choice, None]
        out.index_add_(0, token, y.to(out.dtype))
    return out


def _project(experts: Any, part: str, e: int, x: Tensor) -> Tensor:
    y = Int8Matrix(getattr(experts, part)[e], getattr(experts, part + SCALE)[e]).times(x)
    return y + getattr(experts, f"{part}_bias")[e] if experts.has_bias else y


ALL_EXPERTS_FUNCTIONS[NAME] = int8_experts
