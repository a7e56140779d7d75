"""Grok-1, top to bottom: 64 blocks of grouped attention and eight experts, as xAI released it in March 2024.

Letters in the shapes: B batch, T tokens of this call, S keys seen so far, H hidden size, N query heads, K key
heads, D head size, E experts, I inner width of an expert, V vocabulary. What is unusual, in the order it is
met:

* the embedding is multiplied by sqrt(H), and its *unscaled* transpose makes the logits, times 1/sqrt(3);
* each block normalises twice per branch: before it, and again before adding its result to the stream;
* attention scores are squeezed into (-30, 30) by 30 * tanh(score / 30) before the mask, which is why the
  fused attention kernels cannot be used;
* the gates of the two chosen experts are the plain softmax over all eight, *not* renormalised to one;
* token 0 (padding) is hidden as a key while a prompt is processed, and visible again to later tokens.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache
from transformers.generation.utils import GenerationMixin
from transformers.integrations.moe import use_experts_implementation
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
from transformers.modeling_utils import PreTrainedModel

from inference.grok1.config import Grok1Config
from inference.grok1.rotary import rope_tables


class RMSNorm(nn.Module):
    """x / rms(x) * weight, in float32 inside; the weight is the plain scale (not 1 + scale)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight.float(), self.eps).to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position: dimension i turns with dimension i + D/2 (half-split, not interleaved)."""
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


def soft_cap(scores: Tensor, cap: float) -> Tensor:
    """Limits to (-cap, cap); applied before the mask, so that hidden keys still get exactly 0."""
    return torch.tanh(scores / cap) * cap


class Attention(nn.Module):
    """Grouped-query attention with capped scores; no biases."""

    def __init__(self, config: Grok1Config, layer_idx: int) -> None:
        super().__init__()
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.multiplier = config.attention_multiplier
        self.cap = config.attn_logit_softcap
        wide, narrow = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, wide, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, narrow, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, narrow, bias=False)
        self.o_proj = nn.Linear(wide, config.hidden_size, bias=False)

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor | None, cache: Cache | None
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
        scores = (q @ k.unsqueeze(2).transpose(-1, -2)).float() * self.multiplier  # [B, K, N/K, T, S]
        scores = soft_cap(scores, self.cap)
        if mask is not None:
            scores = scores + mask.unsqueeze(1)
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v.unsqueeze(2)  # [B, K, N/K, T, D]
        return cast(Tensor, self.o_proj(mixed.flatten(1, 2).transpose(1, 2).flatten(2)))


class Router(nn.Module):
    """Chooses the experts of a token and their weights. Always float32: near ties change the text."""

    def __init__(self, config: Grok1Config) -> None:
        super().__init__()
        self.top_k = config.num_experts_per_tok
        self.weight = nn.Parameter(torch.empty(config.num_local_experts, config.hidden_size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = F.linear(x.float(), self.weight.float())  # [T, E]
        gates, chosen = logits.softmax(dim=-1).topk(self.top_k, dim=-1)  # [T, k]; Grok-1 does not renormalise
        return logits, gates, chosen


@use_experts_implementation
class Experts(nn.Module):
    """Eight gated networks, `linear_1(gelu(linear x) * linear_v x)`, each over the tokens that chose it.

    `gate_up_proj` is [linear; linear_v] stacked, `down_proj` is linear_1: the layout transformers' own expert
    kernels expect, so that a GPU host may choose a grouped one.
    """

    def __init__(self, config: Grok1Config) -> None:
        super().__init__()
        e, h, i = config.num_local_experts, config.hidden_size, config.intermediate_size
        self.num_experts = e
        self.gate_up_proj = nn.Parameter(torch.empty(e, 2 * i, h))
        self.down_proj = nn.Parameter(torch.empty(e, h, i))

    def act_fn(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate="tanh")

    def forward(self, x: Tensor, chosen: Tensor, gates: Tensor) -> Tensor:
        """x [T, H], chosen and gates [T, k] -> [T, H]."""
        out = torch.zeros_like(x)
        for e in range(self.num_experts):
            token, choice = torch.where(chosen == e)
            if token.numel() == 0:
                continue
            left, right = F.linear(x[token], self.gate_up_proj[e]).chunk(2, dim=-1)
            y = F.linear(self.act_fn(left) * right, self.down_proj[e])
            out.index_add_(0, token, (y * gates[token, choice, None]).to(out.dtype))
        return out


class MoE(nn.Module):
    def __init__(self, config: Grok1Config) -> None:
        super().__init__()
        self.router = Router(config)
        self.experts = Experts(config)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, -2)  # [B*T, H]
        _, gates, chosen = self.router(flat)
        return cast(Tensor, self.experts(flat, chosen, gates)).view_as(x)


class Block(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    """h += norm1(attention(norm0(h))); h += norm3(moe(norm2(h))). Norms are numbered as in the checkpoint."""

    def __init__(self, config: Grok1Config, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer_idx)
        self.moe = MoE(config)
        self.norm0, self.norm1, self.norm2, self.norm3 = (
            RMSNorm(config.hidden_size, config.rms_norm_eps) for _ in range(4)
        )

    def forward(
        self, h: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        h = h + self.norm1(self.self_attn(self.norm0(h), rope, mask, cache))
        return cast(Tensor, h + self.norm3(self.moe(self.norm2(h))))


class Grok1PreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    config: Grok1Config
    config_class = Grok1Config
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["Block"]
    _skip_keys_device_placement = ["past_key_values"]
    _keep_in_fp32_modules_strict = {"router", "norm", "norm0", "norm1", "norm2", "norm3"}
    # A fused kernel would drop the soft cap, so transformers refuses them by name.
    _supports_sdpa = False
    _supports_flash_attn = False
    _supports_flex_attn = False

    @classmethod
    def prepare_distribute_model(
        cls, distributed_config: Any, device_map: Any = None
    ) -> tuple[Any, Any, Any]:
        """Names no device on CPUs, where all ranks use the same; naming it would require `accelerate`."""
        config, place, mesh = super().prepare_distribute_model(distributed_config, device_map)
        return config, None if str(place) == "cpu" else place, mesh

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        std = self.config.initializer_range
        if isinstance(module, nn.Linear | nn.Embedding | Router):
            init.normal_(module.weight, mean=0.0, std=std)
        elif isinstance(module, Experts):
            init.normal_(module.gate_up_proj, mean=0.0, std=std)
            init.normal_(module.down_proj, mean=0.0, std=std)
        elif isinstance(module, RMSNorm):
            init.ones_(module.weight)


class Grok1Model(Grok1PreTrainedModel):  # type: ignore[no-untyped-call]
    """Embedding, blocks and last norm."""

    def __init__(self, config: Grok1Config) -> None:
        super().__init__(config)
        # No padding_idx: id 0 has a vector like any other.
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.gradient_checkpointing = False
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        **_: Any,
    ) -> MoeModelOutputWithPast:
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds")
        if self.config._attn_implementation not in (None, "eager"):
            raise ValueError(
                "Grok-1 caps its attention scores; attention "
                f"'{self.config._attn_implementation}' would drop the cap. Use 'eager'."
            )
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds  # [B, T, H]
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if use_cache and past_key_values is None and not self.training:
            past_key_values = DynamicCache(config=self.config)
        seen = 0 if past_key_values is None else int(past_key_values.get_seq_length())
        if position_ids is None:
            position_ids = (torch.arange(x.shape[1], device=x.device) + seen).unsqueeze(0)  # [1, T]

        if attention_mask is not None and attention_mask.dim() == 4:
            # [B, 1, T, S], added to the scores: the caller's own (packed windows in training)
            mask: Tensor | None = attention_mask
        else:
            mask = self._causal_mask(x, attention_mask, past_key_values, position_ids)  # [B, 1, T, S]
            mask = self._hide_pad_keys(input_ids, mask, seen)

        rope = rope_tables(position_ids, self.config.head_dim, self.config.rope_theta)  # [B, T, D] each
        h = x * self.config.embedding_multiplier
        stream: list[Tensor] = []
        for block in self.layers:
            if output_hidden_states:
                stream.append(h)
            h = block(h, rope, mask, past_key_values)
        h = self.norm(h)
        if output_hidden_states:
            stream.append(h)
        return MoeModelOutputWithPast(
            last_hidden_state=h,
            past_key_values=past_key_values,
            hidden_states=tuple(stream) if output_hidden_states else None,
        )

    def _causal_mask(
        self,
        x: Tensor,
        attention_mask: Tensor | None,
        past_key_values: Cache | None,
        position_ids: Tensor,
    ) -> Tensor | None:
        made = create_causal_mask(
            config=self.config,
            inputs_embeds=x.float(),  # the mask is added to float32 scores
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        return cast("Tensor | None", made)

    def _hide_pad_keys(self, input_ids: Tensor | None, mask: Tensor | None, seen: int) -> Tensor | None:
        """Hide token 0 as a key among the tokens of a prompt (a call of several); a single step sees it."""
        pad = self.config.pad_token_id
        if pad is None or input_ids is None or input_ids.shape[1] == 1 or not bool((input_ids == pad).any()):
            return mask
        t = input_ids.shape[1]
        least = torch.finfo(torch.float32).min
        if mask is None:
            mask = torch.full((t, seen + t), least, device=input_ids.device).triu(seen + 1)[None, None]
        mask = mask.float().expand(input_ids.shape[0], -1, -1, -1).clone()
        mask[..., seen : seen + t].masked_fill_((input_ids == pad)[:, None, None, :], least)
        return mask


class Grok1ForCausalLM(Grok1PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """The model with its logits. It has no head: the embedding is used again, without its multiplier."""

    def __init__(self, config: Grok1Config) -> None:
        super().__init__(config)
        self.model = Grok1Model(config)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        return cast(nn.Module, self.model.embed_tokens)

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.embed_tokens = cast(nn.Embedding, value)

    def get_output_embeddings(self) -> None:
        return None

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **_: Any,
    ) -> MoeCausalLMOutputWithPast:
        out = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
        )
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        h = out.last_hidden_state[:, keep]
        logits = F.linear(h, self.model.embed_tokens.weight) * self.config.output_multiplier  # [B, T, V]
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return MoeCausalLMOutputWithPast(
            loss=loss, logits=logits, past_key_values=out.past_key_values, hidden_states=out.hidden_states
        )
