"""`python llama_cpp_server.py FOLDER PORT`: llama.cpp's server with a model folder, written as GGUF first.

It runs in an environment of its own (real_servers.py), with the packages gguf, safetensors and xllamacpp,
which contains the C++ server of llama.cpp; it imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import xllamacpp
from safetensors.numpy import load_file

LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(folder: Path, out: Path) -> None:
    """Writes a Llama folder of transformers as GGUF in 32-bit floats."""
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    add_tokenizer(writer, folder, config)
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        writer.add_tensor(gguf_name(name), tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str:
    name = name.removesuffix(".weight")
    if name in OUTSIDE:
        return f"{OUTSIDE[name]}.weight"
    _, _, number, part = name.split(".", 3)
    return f"blk.{number}.{LAYER[part]}.weight"


def add_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    saved = json.loads((folder / "tokenizer.json").read_text())
    special = {each["content"] for each in saved["added_tokens"] if each["special"]}
    ids: dict[str, int] = saved["model"]["vocab"]
    tokens = sorted(ids, key=lambda token: ids[token])
    kinds = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    merges = [each if isinstance(each, str) else " ".join(each) for each in saved["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text())


def serve(file: Path, name: str, port: int) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = [name]
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = 4
    params.n_ctx = 8192
    params.use_jinja = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    assert server
    threading.Event().wait()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_gguf(folder, folder / "model.gguf")
    serve(folder / "model.gguf", "tiny", int(sys.argv[2]))
