"""Mixture-of-Experts models as transformers saves them: Mixtral, OLMoE, Qwen-MoE, Granite-MoE."""
