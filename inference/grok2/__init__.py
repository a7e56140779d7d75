"""Grok-2, xAI's release of 2025: a residual mixture of experts, from folders divided by tensor-parallel rank.

The release itself was not available while this was written: neither its config.json nor its weights or
tokenizer were read, and nothing of it was run. What is known, and from where:

* The order of operations, caps, multipliers, names of tensors and of files are read from SGLang's public
  class for Grok (the server that xAI's own instructions name), without copying it.
* The values of config.json (90.50966799187809, 0.5, 30, 30, 50, 208533496, 64 layers of 8192, 8 experts of
  16384 beside a dense network of 32768, `attn_temperature_len` 1024) are from copies of it in public tests
  and notes by others.
* The list of the release's 18 groups of files, and that only experts are divided, is from public code that
  loads them for other hardware.
* The temperature of long contexts (`temperatures` in model.py) is from SGLang's attention kernels, and the
  format of `tokenizer.tok.json` from the tokenizers of SGLang and vLLM.

Public implementations contradict each other in places; `docs/model.md` lists them and what is taken here.
"""
