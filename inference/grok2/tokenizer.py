"""Grok-2's tokenizer and chat template.

A folder has `tokenizer.json` (made by others), or xAI's own `tokenizer.tok.json`: the bytes and id of every
token, from which byte-level BPE with the same merges is made here. Text is cut before merging by a pattern
whose name the file gives: "V1" is tiktoken's cl100k pattern with single digits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from inference.hf_models.tokenizer import HfTokenizer
from inference.model_dir.describe import ModelUnusable
from inference.model_dir.grok2_tensors import TOKENIZERS
from inference.model_dir.headers import first_line, json_object

SEPARATOR, END = "<|separator|>", "<|eos|>"
TEMPLATE = (
    "{%- set words = {'user': 'Human', 'assistant': 'Assistant', 'system': 'System'} -%}"
    "{%- for message in messages -%}"
    "{%- set text = message['content'] | trim if message['role'] == 'assistant' else message['content'] -%}"
    "{{ words[message['role']] + ': ' + text + '" + SEPARATOR + "\\n\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'Assistant:' }}{%- endif -%}"
)
PATTERNS = {
    "V1": "|".join(
        (
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
            r"[^\r\n\p{L}\p{N}]?\p{L}+",
            r"\p{N}",
            r" ?[^\s\p{L}\p{N}]+[\r\n]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    )
}


def load_tokenizer(path: Path, vocab_size: int) -> HfTokenizer:
    """Returns the tokenizer of a folder, with Grok-2's template where the folder has none. Raises
    ModelUnusable."""
    inner = _stock(path) if (path / TOKENIZERS[0]).is_file() else _released(path)
    tokenizer = HfTokenizer(path, vocab_size, inner=inner, template=TEMPLATE, ends=(SEPARATOR, END))
    if tokenizer.inner.convert_tokens_to_ids(SEPARATOR) not in tokenizer.stop_ids:
        raise ModelUnusable(f"the tokenizer in {path} has no {SEPARATOR}, which ends an answer of Grok-2")
    return tokenizer


def _stock(path: Path) -> Any:
    """Returns the tokenizer of tokenizer.json. transformers' AutoTokenizer would take the class of another
    network: the release's model_type is "git"."""
    json_object(path / TOKENIZERS[0])
    try:
        return PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True)
    except Exception as error:  # the tokenizers library raises plain Exceptions
        raise ModelUnusable(f"the tokenizer in {path} cannot be loaded: {first_line(error)}") from error


def _released(path: Path) -> Any:
    """Returns a tokenizer of transformers for tokenizer.tok.json."""
    name = TOKENIZERS[1]
    given = json_object(path / name)
    split = given.get("word_split")
    if split not in PATTERNS:
        raise ModelUnusable(f"{name} in {path}: word_split is {split!r}; there is {', '.join(PATTERNS)}")
    try:
        ranks = {bytes(one["bytes"]): int(one["token"]) for one in given["regular_tokens"]}
        special = {bytes(one["bytes"]).decode(): int(one["token"]) for one in given["special_tokens"]}
        inner = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=_byte_level(ranks, special, PATTERNS[split]),
            additional_special_tokens=sorted(special, key=lambda text: special[text]),
        )
    except Exception as error:  # the tokenizers library raises plain Exceptions
        raise ModelUnusable(f"{name} in {path} cannot be used: {first_line(error)}") from error
    used = set(ranks.values())
    moved = [text for text, token in special.items() if token in used]
    if moved:
        raise ModelUnusable(f"{name} in {path}: the id of {moved[0]} is used twice")
    if (path / "chat_template.jinja").is_file():
        inner.chat_template = (path / "chat_template.jinja").read_text(encoding="utf-8")
    return inner


def _byte_level(ranks: dict[bytes, int], special: dict[str, int], pattern: str) -> Tokenizer:
    letters = bytes_to_unicode()  # type: ignore[no-untyped-call]

    def spelled(piece: bytes) -> str:
        return "".join(letters[byte] for byte in piece)

    merges = []
    for piece in sorted(ranks, key=lambda one: ranks[one]):
        pairs = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        known = [pair for pair in pairs if pair[0] in ranks and pair[1] in ranks]
        merges += sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    made = Tokenizer(
        models.BPE(
            vocab={spelled(piece): token for piece, token in ranks.items()} | special,
            merges=[(spelled(left), spelled(right)) for left, right in merges],
            ignore_merges=True,  # a piece of the text that is a token is that token
        )
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made
