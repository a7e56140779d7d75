"""Reads config.json and generation_config.json through transformers; its errors become one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers import AutoConfig, GenerationConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import first_line, json_object

RELEASE = f"transformers {transformers.__version__}"


def load_config(path: Path) -> Any:
    """Returns the configuration of a folder; ModelUnusable names the file that cannot be used."""
    if (path / "generation_config.json").exists():
        _read(path, "generation_config.json", GenerationConfig, {})
    model_type = json_object(path / "config.json").get("model_type")
    if model_type not in CONFIG_MAPPING:
        raise ModelUnusable(f"{path} holds a model of type {model_type!r}, which {RELEASE} does not know")
    config = _read(path, "config.json", AutoConfig, {"trust_remote_code": False})
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelUnusable(
            f"{path} holds a model of type {model_type!r}, which is no causal language model of {RELEASE}"
        )
    return config


def _read(path: Path, name: str, reader: Any, options: dict[str, bool]) -> Any:
    try:
        return reader.from_pretrained(path, local_files_only=True, **options)
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelUnusable(f"{name} in {path} cannot be used: {first_line(error)}") from error
