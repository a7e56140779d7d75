"""Grok-2, top to bottom: blocks of grouped attention, and eight experts beside one dense network.

Letters in the shapes: B batch, T tokens of this call, S keys seen so far, H hidden size, N query heads, K key
heads, D head size, E experts, V vocabulary. What differs from Grok-1 (`inference/grok1/model.py`):

* beside the experts stands a dense network that every token passes: their sum is divided by sqrt(2);
* the router's logits are capped at 30 before the softmax over all experts (not renormalised), and the logits
  of the vocabulary at 50 after their multiplier;
* the head is a matrix of its own;
* no token is hidden as padding;
* capped attention scores of a token at position p are multiplied by log(p) / log(1024) where p > 1024.

As in Grok-1 each branch is normalised before and after, and attention scores are capped at 30 before the
mask, so no fused attention kernel can be used.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicCache
from transformers.generation.utils import GenerationMixin
from transformers.integrations.moe import use_experts_implementation
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
from transformers.modeling_utils import PreTrainedModel

from inference.grok1.model import RMSNorm, rotate, soft_cap
from inference.grok1.rotary import rope_tables
from inference.grok2.config import Grok2Config


def gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


def temperatures(positions: Tensor, length: int | None) -> Tensor | None:
    """Returns what multiplies the capped scores of each position, float32; None where nothing does."""
    if length is None or length <= 1:
        return None
    places = positions.float()
    return torch.where(places > length, places.clamp_min(1).log() / math.log(length), torch.ones_like(places))


class Attention(nn.Module):
    """Grouped-query attention with capped scores; no biases."""

    def __init__(self, config: Grok2Config, layer_idx: int) -> None:
        super().__init__()
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.cap = config.attn_logit_softcapping
        wide, narrow = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, wide, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, narrow, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, narrow, bias=False)
        self.o_proj = nn.Linear(wide, config.hidden_size, bias=False)

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        temperature: Tensor | None,
        mask: Tensor | None,
        cache: Cache | None,
    ) -> Tensor:
        heads = (*x.shape[:-1], -1, self.head_dim)
        cos, sin = (table.to(x.dtype).unsqueeze(1) for table in rope)  # [B, 1, T, D]
        q = rotate(self.q_proj(x).view(heads).transpose(1, 2), cos, sin)  # [B, N, T, D]
        k = rotate(self.k_proj(x).view(heads).transpose(1, 2), cos, sin)  # [B, K, T, D]
        v = self.v_proj(x).view(heads).transpose(1, 2)  # [B, K, T, D]
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)  # [B, K, S, D]
        # [B, K, N/K, T, D]: query heads beside the key head they share
        q = q.reshape(q.shape[0], k.shape[1], -1, *q.shape[2:])
        scores = (q @ k.unsqueeze(2).transpose(-1, -2)).float() * self.head_dim**-0.5  # [B, K, N/K, T, S]
        scores = soft_cap(scores, self.cap)
        if temperature is not None:
            scores = scores * temperature[:, None, None, :, None]
        if mask is not None:
            scores = scores + mask.unsqueeze(1)
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v.unsqueeze(2)  # [B, K, N/K, T, D]
        return cast(Tensor, self.o_proj(mixed.flatten(1, 2).transpose(1, 2).flatten(2)))


class MLP(nn.Module):
    """The dense network: `down(gelu(gate x) * up x)`."""

    def __init__(self, config: Grok2Config) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.down_proj(gelu(self.gate_proj(x)) * self.up_proj(x)))


class Router(nn.Module):
    """Chooses the experts of a token and their weights. Always float32: near ties change the text."""

    def __init__(self, config: Grok2Config) -> None:
        super().__init__()
        self.top_k = config.num_experts_per_tok
        self.cap = config.router_logit_softcapping
        self.weight = nn.Parameter(torch.empty(config.num_local_experts, config.hidden_size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [T, H]; returns the gates and numbers of the chosen experts, [T, k] each."""
        logits = soft_cap(F.linear(x.float(), self.weight.float()), self.cap)  # [T, E]
        gates, chosen = logits.softmax(dim=-1).topk(self.top_k, dim=-1)
        return gates, chosen


@use_experts_implementation
class Experts(nn.Module):
    """Eight gated networks `w2(gelu(w1 x) * w3 x)`: `gate_up_proj` is [w1; w3] of each, `down_proj` w2."""

    def __init__(self, config: Grok2Config) -> None:
        super().__init__()
        e, h, i = config.num_local_experts, config.hidden_size, config.moe_intermediate_size
        self.num_experts = e
        self.gate_up_proj = nn.Parameter(torch.empty(e, 2 * i, h))
        self.down_proj = nn.Parameter(torch.empty(e, h, i))

    def act_fn(self, x: Tensor) -> Tensor:
        return gelu(x)

    def forward(self, x: Tensor, chosen: Tensor, gates: Tensor) -> Tensor:
        """x [T, H], chosen and gates [T, k] -> [T, H]."""
        out = torch.zeros_like(x)
        for e in sorted(set(chosen.flatten().tolist())):
            token, choice = torch.where(chosen == e)
            left, right = F.linear(x[token], self.gate_up_proj[e]).chunk(2, dim=-1)
            y = F.linear(self.act_fn(left) * right, self.down_proj[e])
            out.index_add_(0, token, (y * gates[token, choice, None]).to(out.dtype))
        return out


class MoE(nn.Module):
    def __init__(self, config: Grok2Config) -> None:
        super().__init__()
        self.gate = Router(config)
        self.experts = Experts(config)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, -2)  # [B*T, H]
        gates, chosen = self.gate(flat)
        return cast(Tensor, self.experts(flat, chosen, gates)).view_as(x)


class Block(nn.Module):
    """Adds attention, then the mean of the dense network and the experts times sqrt(2)."""

    def __init__(self, config: Grok2Config, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer_idx)
        self.mlp = MLP(config)
        self.block_sparse_moe = MoE(config)
        self.pre_attn_norm, self.post_attn_norm, self.pre_moe_norm, self.post_moe_norm = (
            RMSNorm(config.hidden_size, config.rms_norm_eps) for _ in range(4)
        )

    def forward(
        self,
        h: Tensor,
        rope: tuple[Tensor, Tensor],
        temperature: Tensor | None,
        mask: Tensor | None,
        cache: Cache | None,
    ) -> Tensor:
        h = h + self.post_attn_norm(self.self_attn(self.pre_attn_norm(h), rope, temperature, mask, cache))
        x = self.pre_moe_norm(h)
        both = (self.mlp(x) + self.block_sparse_moe(x)) / math.sqrt(2)
        return cast(Tensor, h + self.post_moe_norm(both))


class Grok2PreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    config: Grok2Config
    config_class = Grok2Config
    base_model_prefix = "model"
    _no_split_modules = ["Block"]
    _skip_keys_device_placement = ["past_key_values"]
    _keep_in_fp32_modules_strict = {
        "gate",
        "norm",
        "pre_attn_norm",
        "post_attn_norm",
        "pre_moe_norm",
        "post_moe_norm",
    }
    # A fused kernel would drop the soft cap, so transformers refuses them by name.
    _supports_sdpa = False
    _supports_flash_attn = False
    _supports_flex_attn = False


class Grok2Model(Grok2PreTrainedModel):  # type: ignore[no-untyped-call]
    """Embedding, blocks and last norm."""

    def __init__(self, config: Grok2Config) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
    ) -> MoeModelOutputWithPast:
        x = self.embed_tokens(input_ids)  # [B, T, H]
        if past_key_values is None and (self.config.use_cache if use_cache is None else use_cache):
            past_key_values = DynamicCache(config=self.config)
        if position_ids is None:
            seen = 0 if past_key_values is None else int(past_key_values.get_seq_length())
            position_ids = (torch.arange(x.shape[1], device=x.device) + seen).unsqueeze(0)  # [1, T]
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=x.float(),  # the mask is added to float32 scores
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )  # [B, 1, T, S] or None
        rope = rope_tables(position_ids, self.config.head_dim, self.config.rope_theta)  # [B, T, D] each
        temperature = temperatures(position_ids, self.config.attn_temperature_len)
        h = x * self.config.embedding_multiplier_scale
        for block in self.layers:
            h = block(h, rope, temperature, cast("Tensor | None", mask), past_key_values)
        return MoeModelOutputWithPast(last_hidden_state=self.norm(h), past_key_values=past_key_values)


class Grok2ForCausalLM(Grok2PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """The model with its logits."""

    def __init__(self, config: Grok2Config) -> None:
        super().__init__(config)
        self.model = Grok2Model(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **_: Any,
    ) -> MoeCausalLMOutputWithPast:
        out = self.model(input_ids, attention_mask, position_ids, past_key_values, use_cache)
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(out.last_hidden_state[:, keep]).float() * self.config.output_multiplier_scale
        return MoeCausalLMOutputWithPast(
            logits=soft_cap(logits, self.config.final_logit_softcapping),  # [B, T, V]
            past_key_values=out.past_key_values,
        )
