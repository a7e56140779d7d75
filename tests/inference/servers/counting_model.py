"""Makes a tiny model that counts: "one two three … twenty", then on in made-up words, whatever it is asked.

Its layers add nothing, and its head maps each token to the next one, so every server must give the same text.
A server that continues an answer goes on from its last word; one that begins a new answer says "one".
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

NAMES = [
    "one", "two", "three", "four", "five", "six", "seven", "eight",
    "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
    "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip
MORE = ("".join(letters) for letters in product("bcdfgh", "aeiou", "klmnp"))
WORDS = [*NAMES, *MORE]  # 170
CONTEXT = 2048
SIZE = 128
CERTAINTY = 40.0  # logit of the next token; those of the others are noise of a tenth of it
TEMPLATE = (
    "{% for m in messages %}<|a|>{{ m['role'] }}\n{{ m['content'] }}"
    "{% if not loop.last or add_generation_prompt %}<|z|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|a|>assistant\n{% endif %}"
)


def make_counting_model(folder: Path) -> Path:
    """Saves the model as transformers does."""
    tokenizer = make_tokenizer()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="<|z|>",
        additional_special_tokens=["<|a|>"],
    )
    wrapped.chat_template = TEMPLATE
    wrapped.save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=SIZE,
        intermediate_size=SIZE,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=0,
        eos_token_id=2,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    set_weights(model, following(tokenizer))
    model.save_pretrained(folder)
    return folder


def make_tokenizer() -> Tokenizer:
    """Returns byte-level BPE in which each word, with the space before it, is one token."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        [" ".join(WORDS)] * 2,
        trainers.BpeTrainer(
            vocab_size=4096,
            min_frequency=1,
            show_progress=False,
            special_tokens=["<s>", "<|a|>", "<|z|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return made


def following(tokenizer: Tokenizer) -> dict[int, int]:
    """Returns the token that follows each one; the first word follows the end of the prompt, a line break."""
    texts = [WORDS[0], *(f" {word}" for word in WORDS[1:])]
    ids = [tokenizer.encode(text).ids for text in texts]
    assert all(len(each) == 1 for each in ids)
    chain = [each[0] for each in ids]
    return {tokenizer.encode("\n").ids[0]: chain[0], **dict(zip(chain, [*chain[1:], 2], strict=True))}


def set_weights(model: LlamaForCausalLM, following: dict[int, int]) -> None:
    with torch.no_grad():
        embedding = torch.nn.functional.normalize(model.model.embed_tokens.weight, dim=1) * SIZE**0.5
        model.model.embed_tokens.weight.copy_(embedding)
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for token, after in following.items():
            model.lm_head.weight[after] += embedding[token] * CERTAINTY / SIZE
