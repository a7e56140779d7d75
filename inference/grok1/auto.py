"""Makes model_type "grok1" known to transformers' Auto classes; importing this module does it."""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from inference.grok1 import int8_model  # noqa: F401 - registers int8 folders
from inference.grok1.config import Grok1Config
from inference.grok1.hf_tokenizer import Grok1Tokenizer
from inference.grok1.model import Grok1ForCausalLM, Grok1Model

AutoConfig.register("grok1", Grok1Config, exist_ok=True)
AutoModelForCausalLM.register(Grok1Config, Grok1ForCausalLM, exist_ok=True)
AutoTokenizer.register(Grok1Config, Grok1Tokenizer, exist_ok=True)  # type: ignore[no-untyped-call]

__all__ = ["Grok1Config", "Grok1ForCausalLM", "Grok1Model", "Grok1Tokenizer"]
