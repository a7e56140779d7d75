"""Registers quant_method "grokweb_int8" with transformers when it is imported, so that it loads int8 folders.

`AutoModelForCausalLM.from_pretrained(folder)` then gives a model whose projections and experts stay int8.
The arithmetic is that of networks/int8.py: exact in float32, with torch's kernel where a bfloat16 model
decodes on a CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from inference.grok1.model import Attention, Experts
from inference.model_dir.grok1_tensors import INT8, SCALE
from inference.model_dir.headers import Stored, read_headers
from inference.networks.int8 import Int8Matrix


class Int8Linear(nn.Module):
    """A projection without bias; its parameters have the names they have in the folder."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.weight = _numbers(outputs, inputs)
        self.weight_scale = nn.Parameter(torch.empty(outputs, groups), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])  # [B*T, in]
        return Int8Matrix(self.weight, self.weight_scale).times(flat).view(*x.shape[:-1], -1)


def int8_experts(experts: Any, x: Tensor, chosen: Tensor, gates: Tensor) -> Tensor:
    """Experts.forward for int8 parameters: x [T, H], chosen and gates [T, k] -> [T, H]."""
    out = torch.zeros_like(x)
    for e in sorted(set(chosen.flatten().tolist())):
        token, choice = torch.where(chosen == e)
        gate_up = Int8Matrix(experts.gate_up_proj[e], experts.gate_up_proj_scale[e])
        down = Int8Matrix(experts.down_proj[e], experts.down_proj_scale[e])
        left, right = gate_up.times(x[token]).chunk(2, dim=-1)
        y = down.times(experts.act_fn(left) * right)
        out.index_add_(0, token, (y * gates[token, choice, None]).to(out.dtype))
    return out


class Int8Config(QuantizationConfigMixin):
    """A configuration without settings: names and shapes of the tensors say what is int8."""

    def __init__(self, **_: Any) -> None:
        self.quant_method: Any = INT8


class Int8Quantizer(HfQuantizer):
    """Reads folders that are int8 already; `inference.grok1.quantize` makes them."""

    requires_calibration = True  # transformers' word for "only folders that are quantised already"

    def _process_model_before_weight_loading(
        self, model: Any, checkpoint_files: list[str] | None = None, **_: Any
    ) -> Any:
        """Gives the empty model int8 parameters; the files' headers say how many scales a row has."""
        stored = read_headers(tuple(Path(file) for file in checkpoint_files or ()))
        with torch.device("meta"):
            for name, module in list(model.named_modules()):
                if isinstance(module, Attention):
                    _replace_projections(module, name, stored)
                elif isinstance(module, Experts):
                    _replace_experts(module, name, stored)
        model.config._experts_implementation_internal = INT8
        return model

    def is_serializable(self) -> bool:
        return True

    @property
    def is_trainable(self) -> bool:
        return False


def _replace_projections(attention: Attention, name: str, stored: dict[str, Stored]) -> None:
    for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
        linear: nn.Linear = getattr(attention, part)
        groups = stored[f"{name}.{part}.weight{SCALE}"].shape[-1]
        setattr(attention, part, Int8Linear(linear.in_features, linear.out_features, groups))


def _replace_experts(experts: Experts, name: str, stored: dict[str, Stored]) -> None:
    for part in ("gate_up_proj", "down_proj"):
        shape = getattr(experts, part).shape
        scale = torch.empty(*shape[:-1], stored[f"{name}.{part}{SCALE}"].shape[-1])
        setattr(experts, part, _numbers(*shape))
        setattr(experts, part + SCALE, nn.Parameter(scale, requires_grad=False))


def _numbers(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape, dtype=torch.int8), requires_grad=False)


register_quantization_config(INT8)(Int8Config)
register_quantizer(INT8)(Int8Quantizer)
ALL_EXPERTS_FUNCTIONS[INT8] = int8_experts
