"""Loads the network of a folder through transformers, from safetensors alone and without code of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from inference.hf_models.configs import load_config
from inference.hf_models.frequencies import fix_frequencies
from inference.hf_models.tensors import check_tensors
from inference.model_dir.admission import admit, serving_dtype
from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import first_line, read_headers


def load_model(path: Path, *, slots: int, device: str = "cpu", context: int = 0) -> Any:
    """Returns the network of a folder, or raises ModelUnusable."""
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else None
    files = admit(path, slots, free=free, context=context)
    config = load_config(files.path)
    loader: Any = AutoModelForCausalLM
    try:
        check_tensors(config, read_headers(files.shards), files.path)
        model, loading = loader.from_pretrained(
            files.path,
            dtype=getattr(torch, serving_dtype(files)),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except ModelUnusable:
        raise
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelUnusable(f"{files.path} cannot be loaded: {first_line(error)}") from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise ModelUnusable(f"{len(missing)} tensors are missing in {files.path}: {missing[0]}")
    network: Any = model
    network = network.to(device).eval().requires_grad_(False)
    fix_frequencies(network, files.context)
    return network
