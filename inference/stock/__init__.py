"""Any Mixture-of-Experts folder as transformers saves it: Mixtral, OLMoE, Qwen-MoE, Granite-MoE."""
