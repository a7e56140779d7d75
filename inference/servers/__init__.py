"""Models behind OpenAI-compatible servers (vLLM, SGLang, llama.cpp, Ollama, TGI, LM Studio, xAI)."""
