"""Text <-> ids for Grok-1's SentencePiece layout, and conversations -> prompts. Needs `sentencepiece`, not
torch.

The layout, the same in xAI's release and in our demo model:

    0 [PAD]  1 [BOS]  2 [EOS]  3 [UNK]  4-13 runs of newlines  14-23 digits  24-31 runs of tabs  32-46 runs of
    spaces 47 <|separator|>  48 <|mask|>  49-68 <|control1|>..<|control20|>  69-324 the 256 bytes  325..
    learned pieces

SentencePiece itself turns a typed "<|separator|>" into id 47; `encode` here never does: what people write
stays text.

Templates (`chat_template` in grokweb.json):

* "demo": [BOS], then for each message its role's mark, its text and 47. The marks are 49 user, 50 assistant
  and 51 system; a prompt ends with 50, and the reply ends with 47.
* "grok1": Grok-1 is a base model that only continues text, so the conversation becomes a transcript,
  "Human: ...\\n\\nAssistant: ...", and a reply ends where the model would write the next "Human:".
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece

from inference.model_dir.describe import ModelUnusable

PAD, BOS, EOS, UNK = range(4)
SEPARATOR, MASK = 47, 48
CONTROL = range(SEPARATOR, 69)  # must never come out of a user's text
FIRST_BYTE, FIRST_LEARNED = 69, 325
USER, ASSISTANT, SYSTEM = 49, 50, 51
ROLE_MARK = {"user": USER, "assistant": ASSISTANT, "system": SYSTEM}
ROLE_WORD = {"user": "Human", "assistant": "Assistant", "system": "System"}
SPACE = "\u2581"  # how SentencePiece writes a space inside a piece


def _one_mark_per_byte(error: UnicodeError) -> tuple[str, int]:
    """SentencePiece shows each byte that is not UTF-8 as one U+FFFD; Python's "replace" would join some."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("grok1_bytes", _one_mark_per_byte)


class ChatTokenizer:
    """One tokenizer.model and one chat template."""

    thinker = None  # these templates know no thoughts

    def __init__(self, model_file: Path, template: str = "grok1") -> None:
        if template not in ("demo", "grok1"):
            raise ModelUnusable(f"unknown chat_template {template!r}; there are 'demo' and 'grok1'")
        try:
            self.pieces = sentencepiece.SentencePieceProcessor(model_file=str(model_file))
        except (OSError, RuntimeError) as error:
            raise ModelUnusable(
                f"{model_file.name} is missing or is no SentencePiece model ({model_file})"
            ) from error
        self.template = template
        self.vocab_size: int = self.pieces.vocab_size()
        if self.vocab_size < FIRST_LEARNED or self.pieces.id_to_piece(SEPARATOR) != "<|separator|>":
            raise ModelUnusable(f"{model_file.name} does not have Grok-1's layout of special ids")
        self._bytes = [self._bytes_of(i) for i in range(self.vocab_size)]
        # Pieces whose first character is SentencePiece's space: at the very start of a text it is not shown.
        self._spaced = [self.pieces.id_to_piece(i).startswith(SPACE) for i in range(self.vocab_size)]
        self._spelled = {i: self._spell(self.pieces.id_to_piece(i)) for i in (PAD, BOS, EOS, UNK, *CONTROL)}

    # -- what the engine asks for --------------------------------------------------------

    @property
    def stop_ids(self) -> frozenset[int]:
        """Returns the ids that end the reply; they are no part of the text."""
        return frozenset({EOS, SEPARATOR})

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """Returns the strings that end the reply; they are no part of it."""
        return ("\n\nHuman:", "\nHuman:", "\n\nSystem:") if self.template == "grok1" else ()

    @property
    def never_sample(self) -> frozenset[int]:
        """Returns ids that must not be chosen: padding (hidden as a key), BOS, UNK, mask and role marks."""
        return frozenset({PAD, BOS, UNK, *CONTROL}) - self.stop_ids

    def render_chat(
        self, messages: Sequence[dict[str, str]], *, begin_reply: bool = True, continue_last: bool = False
    ) -> list[int]:
        """Returns the ids of the prompt whose continuation is the assistant's next message.

        With `continue_last` the continuation is the rest of the last message. Without `begin_reply` the
        prompt ends with the last message.
        """
        for message in messages:
            if message.get("role") not in ROLE_MARK:
                raise ValueError(f"unknown role {message.get('role')!r}; roles are {', '.join(ROLE_MARK)}")
        if self.template == "demo":
            ids = [BOS]
            for message in messages:
                ids += [ROLE_MARK[message["role"]], *self.encode(message["content"]), SEPARATOR]
            if continue_last:
                return ids[:-1]
            return [*ids, ASSISTANT] if begin_reply else ids
        turns = [f"{ROLE_WORD[message['role']]}: {message['content']}" for message in messages]
        begin = ["Assistant:"] if begin_reply and not continue_last else []
        return self.encode("\n\n".join(turns + begin))

    # -- text and ids --------------------------------------------------------------------

    def encode(self, text: str) -> list[int]:
        """Text -> ids, none of them 0-3 or 47-68; a typed control piece is spelled out by characters."""
        ids: list[int] = []
        for i in self.encode_like_release(text):
            ids += self._spelled.get(i, (i,))
        return ids

    def encode_like_release(self, text: str) -> list[int]:
        """Returns SentencePiece's own ids, control ids included: for comparison, never for a user's text."""
        # A lone surrogate (possible in JSON) is no Unicode text: it is written as "?" rather than failing the
        # chat.
        return list(self.pieces.encode(text.encode("utf-8", "replace").decode()))

    def piece_bytes(self, token: int, first: bool = False) -> bytes:
        """Returns the exact bytes one id adds to a text.

        Joined over the ids of a text they are its UTF-8, but for one rule: a text's first visible piece
        usually carries a space that is not shown. Ask with `first=True` as long as nothing visible came
        before.
        """
        piece = self._bytes[token]
        return piece[1:] if first and self._spaced[token] else piece

    def join(self, ids: Iterable[int]) -> bytes:
        """Returns the exact bytes of a whole text, which may end inside a character."""
        out, first = bytearray(), True
        for token in ids:
            out += self.piece_bytes(token, first)
            first = first and (not self._bytes[token])
        return bytes(out)

    def decode(self, ids: Iterable[int]) -> str:
        return self.join(ids).decode("utf-8", "grok1_bytes")

    # -- tables --------------------------------------------------------------------------

    def _bytes_of(self, token: int) -> bytes:
        if self.pieces.is_byte(token):
            return bytes([int(self.pieces.id_to_piece(token)[3:5], 16)])  # "<0x41>"
        if self.pieces.is_control(token):
            return b""
        return str(self.pieces.id_to_piece(token)).replace(SPACE, " ").encode()

    def _spell(self, piece: str) -> tuple[int, ...]:
        ids: list[int] = []
        for character in piece:
            token = self.pieces.piece_to_id(character)
            ids += [token] if token != UNK else [FIRST_BYTE + byte for byte in character.encode()]
        return tuple(ids)


def load_tokenizer(path: Path) -> ChatTokenizer:
    """Returns the tokenizer of a model folder; grokweb.json names its template (default: "grok1")."""
    path = Path(path)
    if not (path / "tokenizer.model").is_file():
        raise ModelUnusable(f"no tokenizer.model in {path}")
    template = "grok1"
    if (path / "grokweb.json").is_file():
        try:
            template = json.loads((path / "grokweb.json").read_text()).get("chat_template", template)
        except (ValueError, AttributeError) as error:
            raise ModelUnusable(f"grokweb.json in {path} is not a JSON object") from error
    return ChatTokenizer(path / "tokenizer.model", template)
