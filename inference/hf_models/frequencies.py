"""Fixes rotary frequencies that the classes of transformers would choose anew for each pass.

LongRoPE and dynamic scaling choose by the longest row of a pass. One person's long conversation would change
another's answer, and keys in the cache would be of two kinds. So the choice is made once, by the served
context: the long factors where it is longer than the length that the model was first trained with.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

FIXED = "fixed"  # a rope_type that transformers does not update


def fix_frequencies(model: Any, context: int) -> None:
    """Makes the rotary embeddings of a model independent of the rows of a pass."""
    for module in model.modules():
        kind = getattr(module, "rope_type", None)
        if kind == "longrope":
            _fix_long(module, context)
        elif isinstance(kind, str) and "dynamic" in kind:
            module.rope_type = FIXED  # within max_position_embeddings, which bounds the context


def _fix_long(module: Any, context: int) -> None:
    given = module.config.rope_parameters
    long = context > given["original_max_position_embeddings"]
    chosen, scaling = ROPE_INIT_FUNCTIONS["longrope"](
        module.config, module.inv_freq.device, seq_len=context if long else None
    )
    with torch.no_grad():
        module.inv_freq.copy_(chosen)
    module.rope_type = FIXED
    if "long_mscale" in given:  # Phi-3.5-MoE, whose class asks for frequencies and scale in each pass
        scale = given["long_mscale" if long else "short_mscale"]
        given["long_mscale"] = given["short_mscale"] = scale
        module.rope_init_fn = lambda *_, **__: (chosen, scaling)
