"""llama.cpp with the weights of a model folder, behind the engine's step interface. Needs the extra `bench`.

What it computes differs from Grok-1 in places (it renormalises the gates, sees token 0 and rounds GELU
through a float16 table), so it is a yardstick of speed, never of answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from inference.grok1.network import Constants
from inference.model_dir.headers import json_object

BATCH = 2_048  # tokens of a call at most


def write_gguf(folder: Path, out: Path, form: str, embedding: str = "") -> None:
    """Float weights in GGUF: matrices as "F32" or "Q8_0", the embedding in a form of its own."""
    import gguf
    from safetensors import safe_open

    config = Constants.of(json_object(folder / "config.json"))
    writer = gguf.GGUFWriter(out, "grok")
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("none")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_expert_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_expert_count(config.num_local_experts)
    writer.add_expert_used_count(config.num_experts_per_tok)
    writer.add_embedding_scale(config.embedding_multiplier)
    writer.add_logit_scale(config.output_multiplier)
    writer.add_float32("grok.attention.output_scale", config.attention_multiplier)

    def add(name: str, values: np.ndarray[Any, Any], form: str = form) -> None:
        small = values.ndim < 2 or "gate_inp" in name
        kind = gguf.GGMLQuantizationType[form]
        if small or form == "F32":
            writer.add_tensor(f"{name}.weight", np.ascontiguousarray(values, dtype=np.float32))
        else:
            writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, kind), raw_dtype=kind)

    with safe_open(folder / "model.safetensors", framework="np") as tensors:
        add("token_embd", tensors.get_tensor("model.embed_tokens.weight"), embedding or form)
        add("output_norm", tensors.get_tensor("model.norm.weight"))
        for i in range(config.num_hidden_layers):
            for ours, theirs in _NAMES.items():
                add(f"blk.{i}.{theirs}", tensors.get_tensor(f"model.layers.{i}.{ours}"))
            gates, ups = np.split(tensors.get_tensor(f"model.layers.{i}.moe.experts.gate_up_proj"), 2, axis=1)
            add(f"blk.{i}.ffn_gate_exps", gates)
            add(f"blk.{i}.ffn_up_exps", ups)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


_NAMES = {
    "norm0.weight": "attn_norm",
    "norm1.weight": "attn_output_norm",
    "norm2.weight": "ffn_norm",
    "norm3.weight": "layer_output_norm",
    "self_attn.q_proj.weight": "attn_q",
    "self_attn.k_proj.weight": "attn_k",
    "self_attn.v_proj.weight": "attn_v",
    "self_attn.o_proj.weight": "attn_output",
    "moe.router.weight": "ffn_gate_inp",
    "moe.experts.down_proj": "ffn_down_exps",
}


@cache
def _quiet(llama_cpp: Any) -> Any:
    """A callback that prints nothing; kept, for C has only its address."""
    return llama_cpp.llama_log_callback(lambda level, text, data: None)


class LlamaStep:
    """`step(...)` of llama.cpp on one thread; `hide_pad` has no meaning there."""

    def __init__(self, file: Path, rows: int, context: int) -> None:
        import llama_cpp

        self._c = llama_cpp
        llama_cpp.llama_log_set(_quiet(llama_cpp), None)
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_default_params()
        model.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(str(file).encode(), model)
        asked = llama_cpp.llama_context_default_params()
        asked.n_ctx, asked.n_seq_max, asked.n_batch = rows * context, rows, BATCH
        asked.n_threads = asked.n_threads_batch = 1
        self._context = llama_cpp.llama_init_from_model(self._model, asked)
        if not self._model or not self._context:
            raise RuntimeError("llama.cpp refused the model")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
        self._filled = [0] * rows

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> list[np.ndarray[Any, Any]]:
        """Has the interface of NativeStep.step; the logits are views that the next call overwrites."""
        batch, wanted = self._batch, set(out_at)
        batch.n_tokens = len(ids)
        for i, (token, at, place) in enumerate(zip(ids, row, pos, strict=True)):
            if place < self._filled[at]:
                self._c.llama_memory_seq_rm(self._memory, at, place, -1)
            self._filled[at] = place + 1
            batch.token[i], batch.pos[i], batch.seq_id[i][0], batch.n_seq_id[i] = token, place, at, 1
            batch.logits[i] = i in wanted
        if self._c.llama_decode(self._context, batch):
            raise RuntimeError("llama.cpp could not decode")
        views = (self._c.llama_get_logits_ith(self._context, i) for i in out_at)
        return [np.ctypeslib.as_array(view, (self._vocab,)) for view in views]

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            self._c.llama_free(self._context)
            self._c.llama_model_free(self._model)


def is_built() -> bool:
    """Returns whether the packages of the extra are there."""
    return find_spec("llama_cpp") is not None and find_spec("gguf") is not None
