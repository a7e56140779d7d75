"""Reads a GROKWEB_MODEL that names a model on OpenAI-compatible servers: `URL[,URL…]#MODEL`.

    http://localhost:11434/v1#qwen3:30b
    http://gpu1:8000/v1,http://gpu2:8000/v1#xai/grok-1      two replicas of one model

Only an operator sets it. A URL without a path gets `/v1`, where all known servers have their interface.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from inference.base.lines import english
from inference.model_dir.headers import ModelUnusable

EXAMPLE = "http://localhost:11434/v1#qwen3:30b"
LONGEST_MODEL = 200  # characters
LONGEST_SLUG = 64
MOST_REPLICAS = 64
DEFAULT_PATH = "/v1"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model and the base URLs of the servers that offer it, without a slash at the end."""

    bases: tuple[str, ...]
    model: str

    @property
    def slug(self) -> str:
        """Returns a-z, 0-9 and single dashes, as the queue's name and the model card need it."""
        ascii_only = unicodedata.normalize("NFKD", self.model).encode("ascii", "ignore").decode()
        dashed = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
        return dashed[:LONGEST_SLUG].strip("-") or "server"


def is_address(configured: str) -> bool:
    """Returns whether a value of GROKWEB_MODEL is meant as a URL."""
    return re.match(r"https?:", configured, re.IGNORECASE) is not None


def parse_address(configured: str) -> ServedModel:
    """Raises ModelUnusable, with the part that is wrong and an example, never with a password in it."""
    urls, mark, model = configured.partition("#")
    model = model.strip()
    if not mark or not model:
        raise ModelUnusable(
            english(
                "the name of the model is missing: write it after a #, as in %(example)s", example=EXAMPLE
            )
        )
    if len(model) > LONGEST_MODEL or not model.isprintable():
        raise ModelUnusable(
            english(
                "the model's name (after the #) must be up to %(number)s printable characters",
                number=LONGEST_MODEL,
            )
        )
    parts = [part.strip() for part in urls.split(",")]
    if len(parts) > MOST_REPLICAS:
        raise ModelUnusable(
            english(
                "%(number)s servers: at most %(most)s can serve one model",
                number=len(parts),
                most=MOST_REPLICAS,
            )
        )
    bases = tuple(_base(part, number) for number, part in enumerate(parts, 1))
    if len(set(bases)) < len(bases):
        raise ModelUnusable(english("a server is named twice: name each replica once"))
    return ServedModel(bases, model)


def _base(url: str, number: int) -> str:
    """Returns one server's base URL. Messages name it by its number: a URL may hold a password."""
    which = english("server %(number)s", number=number)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ModelUnusable(
            english(
                "%(server)s: a URL has printable ASCII characters only; an example: %(example)s",
                server=which,
                example=EXAMPLE,
            )
        )
    try:
        split = urlsplit(url)
        _ = split.port  # raises ValueError for a port that is no number
    except ValueError as error:
        raise ModelUnusable(
            english("%(server)s: %(why)s; an example: %(example)s", server=which, why=error, example=EXAMPLE)
        ) from None
    _check(split, which)
    path = split.path.rstrip("/") or DEFAULT_PATH
    return f"{split.scheme.lower()}://{split.netloc.lower()}{path}"


def _check(split: SplitResult, server: str) -> None:
    if split.scheme.lower() not in {"http", "https"}:
        raise ModelUnusable(
            english(
                "%(server)s: only http:// and https:// are possible; an example: %(example)s",
                server=server,
                example=EXAMPLE,
            )
        )
    if not split.hostname:
        raise ModelUnusable(
            english("%(server)s has no host; an example: %(example)s", server=server, example=EXAMPLE)
        )
    if split.username is not None or split.password is not None:
        raise ModelUnusable(
            english("%(server)s: put the key into GROKWEB_MODEL_KEY, not into the URL", server=server)
        )
    if split.query:
        raise ModelUnusable(
            english(
                "%(server)s: leave out the part after the ?; an example: %(example)s",
                server=server,
                example=EXAMPLE,
            )
        )
