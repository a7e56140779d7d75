"""Reads config.json and generation_config.json through transformers; its errors become one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, GenerationConfig

from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import first_line


def load_config(path: Path) -> Any:
    """Returns the configuration of a folder; ModelUnusable names the file that cannot be used."""
    if (path / "generation_config.json").exists():
        _read(path, "generation_config.json", GenerationConfig, {})
    return _read(path, "config.json", AutoConfig, {"trust_remote_code": False})


def _read(path: Path, name: str, reader: Any, options: dict[str, bool]) -> Any:
    try:
        return reader.from_pretrained(path, local_files_only=True, **options)
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelUnusable(f"{name} in {path} cannot be used: {first_line(error)}") from error
