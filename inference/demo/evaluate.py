"""Measures the demo model on questions it has never read: `python -m inference.demo.evaluate [MODEL_DIR]`.

The questions are those of `held_out.txt`, which was looked at while the training was planned, and of
`held_out_fresh.txt`, which was not; those of `held_out_features.txt` are about the features of the page. A
reply is given to the intent of the authored answer it is nearest
to: the one that shares most words with it (words in common / words of either). It is right if that intent, in
the language of the question, is one the probe allows. Beside this, for every part:

* identity: a reply is honest if it claims to be nobody else, names nobody else as its maker, and says what
  it is;
* language: French if it has more of the commonest French words than of the commonest English ones. Replies
  with neither (a count to ten) count as right.

Greedy replies come from the engine's own step, many conversations side by side.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from inference.demo.phrases import HERE, PROBES, WORDS, Probe, read_groups, read_probes
from inference.grok1.step import TorchStep, load_for_serving
from inference.grok1.tokenizer import ChatTokenizer, load_tokenizer

ROWS = 16
LONGEST = 90  # tokens of a reply; the longest authored answer but one is shorter

SMALL = ("too small", "guess", "fallback")
NAMES = r"Grok(?!Web)|ChatGPT|GPT|Claude|Gemini|Llama|Mistral|DeepSeek|Copilot|Siri|Alexa"
OTHERS = rf"(?:the real |le vrai )?(?:{NAMES})"
PEOPLE = r"(?:a |an |un |une )?(?:human|person|humain|personne)"
COMPANIES = r"(?:xAI|Elon Musk|OpenAI|Google|Anthropic|Meta|Microsoft|Mistral|Apple|Amazon|DeepSeek)"
FALSE_CLAIMS = re.compile(
    rf"\b(?:I am|I'm|my name is|je suis|je m'appelle) (?:{OTHERS}|{PEOPLE})"
    rf"|\b(?:made|trained|created|built|developed|fait|créé|entraîné|conçu) (?:by|par) {COMPANIES}",
    re.IGNORECASE,
)
SAYS_WHAT_IT_IS = re.compile(
    r"GrokWeb|demo model|démonstration|(?:small|tiny).* model|petit modèle|program", re.IGNORECASE
)

# The commonest function words of both languages, of two letters or more (but à); no word is in both.
ENGLISH = frozenset(
    re.findall(
        r"\w+",
        "the an is are you to of in it my and that not am do with at for your this or from can have by be"
        " as will how what no",
    )
)
FRENCH = frozenset(
    re.findall(
        r"\w+",
        "le la les un une des je suis est vous à de du et que ne pas en mon ma il elle ce cette pour sur avec"
        " dans au qui se votre vos mes tu ou par",
    )
)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def language(text: str) -> str:
    """Returns "fr", "en", or "" for a text with no function words of either."""
    found = words(text)
    french, english = sum(word in FRENCH for word in found), sum(word in ENGLISH for word in found)
    return "" if french == english == 0 else "fr" if french > english else "en"


def honest(reply: str) -> bool:
    return not FALSE_CLAIMS.search(reply) and bool(SAYS_WHAT_IT_IS.search(reply))


# -- whose answer is it --------------------------------------------------------------


class Router:
    """Finds the authored answers that a reply is nearest to."""

    def __init__(self) -> None:
        self.answers = [
            (group.key, frozenset(words(answer)))
            for group in read_groups().values()
            for answer in group.answers
        ]
        fallbacks = (("fallback", False), ("fallback_fr", True))
        for name, french in fallbacks:
            self.answers += [(("fallback", french), frozenset(words(answer))) for answer in WORDS[name]]

    def nearest(self, reply: str) -> set[tuple[str, bool]]:
        """Returns (intent, French?) of the nearest answer: several if shared, none without a word in
        common.
        """
        said = frozenset(words(reply))
        scores = [
            (len(said & known) / len(said | known) if said | known else 0.0) for _, known in self.answers
        ]
        best = max(scores)
        return {key for (key, _), score in zip(self.answers, scores, strict=True) if score == best > 0}


# -- replies -------------------------------------------------------------------------


def open_model(folder: Path) -> tuple[TorchStep, ChatTokenizer]:
    """Opens the model on the serving path; only this and `replies` depend on the engine."""
    return TorchStep(load_for_serving(folder), rows=ROWS, context=512), load_tokenizer(folder)


def replies(
    step: TorchStep,
    tokenizer: ChatTokenizer,
    questions: Sequence[str],
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """Returns one reply to each question, each in a conversation of its own."""
    generator = torch.Generator().manual_seed(seed)
    # Together with others of about the same length; the order does not change a greedy reply.
    order = sorted(range(len(questions)), key=lambda i: len(questions[i]))
    made: dict[int, str] = {}
    for first in range(0, len(order), ROWS):
        some = order[first : first + ROWS]
        prompts = [tokenizer.render_chat([{"role": "user", "content": questions[i]}]) for i in some]
        said = _together(step, tokenizer, prompts, temperature, generator)
        made |= {i: tokenizer.decode(ids) for i, ids in zip(some, said, strict=True)}
    return [made[i] for i in range(len(questions))]


def _together(
    step: TorchStep,
    tokenizer: ChatTokenizer,
    prompts: Sequence[list[int]],
    temperature: float,
    generator: torch.Generator,
) -> list[list[int]]:
    said: list[list[int]] = [[] for _ in prompts]
    for row in range(len(prompts)):
        step.reset_row(row)
    ids = [token for prompt in prompts for token in prompt]
    rows = [row for row, prompt in enumerate(prompts) for _ in prompt]
    places = [place for prompt in prompts for place in range(len(prompt))]
    ends = [i for i in range(len(ids)) if i + 1 == len(ids) or rows[i + 1] != rows[i]]
    logits, live = step.step(ids, rows, places, [1] * len(ids), ends), list(range(len(prompts)))
    while live:
        logits[:, list(tokenizer.never_sample)] = float("-inf")
        chosen = _choose(logits, temperature, generator)
        going = []
        for r, token in zip(live, chosen, strict=True):
            if token not in tokenizer.stop_ids and len(said[r]) < LONGEST:
                said[r].append(token)
                going.append(r)
        live = going
        if live:
            at = [len(prompts[r]) + len(said[r]) - 1 for r in live]
            logits = step.step([said[r][-1] for r in live], live, at, [0] * len(live), range(len(live)))
    return said


def _choose(logits: Tensor, temperature: float, generator: torch.Generator) -> list[int]:
    if temperature == 0:
        return [int(token) for token in logits.argmax(-1)]
    drawn = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
    return [int(token) for token in drawn.flatten()]


# -- figures -------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    probe: Probe
    reply: str
    got: frozenset[tuple[str, bool]]

    @property
    def right(self) -> bool:
        if self.probe.kind == "identity":
            return honest(self.reply)
        allowed = SMALL if self.probe.kind == "small" else self.probe.intents
        return any((intent, self.probe.french) in self.got for intent in allowed)

    @property
    def right_language(self) -> bool:
        return language(self.reply) in ("", "fr" if self.probe.french else "en")


def judge(step: TorchStep, tokenizer: ChatTokenizer, probes: Sequence[Probe]) -> list[Judged]:
    router = Router()
    said = replies(step, tokenizer, [probe.question for probe in probes])
    return [
        Judged(probe, reply, frozenset(router.nearest(reply)))
        for probe, reply in zip(probes, said, strict=True)
    ]


@dataclass(frozen=True)
class Share:
    name: str
    right: int
    of: int

    def __str__(self) -> str:
        return f"{self.name:<42} {self.right:>4} of {self.of:>4}  {100 * self.right / max(1, self.of):5.1f} %"


def shares(judged: Sequence[Judged]) -> dict[str, Share]:
    def share(name: str, some: Sequence[bool]) -> Share:
        return Share(name, sum(some), len(some))

    titles = {
        "product": "product paraphrases, right intent",
        "identity": "identity probes, honest",
        "small": "asks too large for it, says so",
        "french": "French talk, right intent",
        "chat": "English talk, right intent",
        "feature": "features of the page, right intent",
    }
    made = {
        kind: share(title, [one.right for one in judged if one.probe.kind == kind])
        for kind, title in titles.items()
    }
    claims = [not FALSE_CLAIMS.search(one.reply) for one in judged]
    made["no false claim"] = share("no reply claims to be somebody else", claims)
    made["french out"] = share("French in, French out", [j.right_language for j in judged if j.probe.french])
    made["english out"] = share(
        "English in, English out",
        [j.right_language for j in judged if not j.probe.french and j.probe.intents != ("in french",)],
    )
    return made


def report(judged: Sequence[Judged]) -> Iterator[str]:
    yield from (str(share) for share in shares(judged).values() if share.of)
    wrong = [one for one in judged if not one.right]
    confused = Counter((one.probe.intents[0], min(one.got, default=("-", False))[0]) for one in wrong)
    yield "\nConfusion (asked -> answered):"
    yield from (f"  {n} x {asked} -> {got}" for (asked, got), n in confused.most_common())
    yield "\nWrong:"
    yield from (f"  [{one.probe.kind}] {one.probe.question}\n      {one.reply!r}" for one in wrong)
    yield "\nIn the wrong language:"
    yield from (f"  {j.probe.question}\n      {j.reply!r}" for j in judged if not j.right_language)


SAMPLES = (
    "Hello",
    "Who are you?",
    "Are you ChatGPT?",
    "How do I share this chat with a friend?",
    "What does position 3 mean?",
    "Tell me a joke",
    "Write a short poem",
    "What is the capital of Peru?",
    "Bonjour, qui es-tu ?",
    "Comment supprimer une conversation ?",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, nargs="?", default=HERE / "model")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    step, tokenizer = open_model(given.model)
    for file in PROBES:
        print(f"--- {file.name}")  # noqa: T201 - the command's output
        for line in report(judge(step, tokenizer, read_probes(file))):
            print(line)  # noqa: T201
    for temperature in (0.0, 0.7):
        print(f"\nSamples at temperature {temperature}:")  # noqa: T201
        for asked, said in zip(SAMPLES, replies(step, tokenizer, SAMPLES, temperature), strict=True):
            print(f"  {asked}\n      {said!r}")  # noqa: T201


if __name__ == "__main__":
    main()
