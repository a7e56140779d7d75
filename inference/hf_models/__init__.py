"""Causal language models as transformers saves and computes them, behind the engine's step."""
