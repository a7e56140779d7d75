"""The shipped demo model answers, sensibly and always the same; the step and generate() agree on it.

`make engines` alone asks it every probe and draws from its recipe.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

from inference.demo.architecture import demo_config
from inference.demo.evaluate import Judged, judge, open_model, shares
from inference.demo.packing import packed_mask, spans, windows
from inference.demo.phrases import FEATURES, pattern, plain, read_probes
from inference.demo.recipe import Recipe
from inference.demo.train import favoured
from inference.demo.training_run import float_weights
from inference.grok1 import Grok1ForCausalLM
from inference.grok1.step import TorchStep
from inference.grok1.tokenizer import ChatTokenizer, load_tokenizer
from inference.model_dir import manifest
from inference.model_dir.describe import describe

DEMO = Path(__file__).parents[3] / "inference" / "demo" / "model"


@pytest.fixture(scope="module")
def model() -> Grok1ForCausalLM:
    return Grok1ForCausalLM.from_pretrained(DEMO, dtype=torch.float32)


@pytest.fixture(scope="module")
def tokenizer() -> ChatTokenizer:
    return load_tokenizer(DEMO)


@pytest.fixture(scope="module")
def step(model: Grok1ForCausalLM) -> TorchStep:
    return TorchStep(model, rows=1, context=1024)


def greedy(step: TorchStep, tokenizer: ChatTokenizer, prompt: list[int], most: int = 200) -> list[int]:
    step.reset_row(0)
    n = len(prompt)
    logits = step.step(prompt, [0] * n, range(n), [1] * n, [n - 1])[0]
    out: list[int] = []
    while len(out) < most:
        logits[list(tokenizer.never_sample)] = float("-inf")
        token = int(logits.argmax())
        if token in tokenizer.stop_ids:
            break
        logits = step.step([token], [0], [n + len(out)], [0], [0])[0]
        out.append(token)
    return out


def answer(step: TorchStep, tokenizer: ChatTokenizer, *turns: str) -> str:
    """The reply to the last of the user's turns; the earlier ones get their own replies first."""
    messages: list[dict[str, str]] = []
    for text in turns:
        messages.append({"role": "user", "content": text})
        said = tokenizer.decode(greedy(step, tokenizer, tokenizer.render_chat(messages)))
        messages.append({"role": "assistant", "content": said})
    return messages[-1]["content"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("Hello", ("Hello", "Hi")),
        ("Who are you?", ("GrokWeb",)),
        ("Are you Grok?", ("No",)),
        ("Are you ChatGPT?", ("No",)),
        ("Bonjour", ("Bonjour",)),
        ("I want to die", ("emergency",)),
        ("Qui es-tu ?", ("Je suis",)),
        ("Merci", ("De rien", "Avec plaisir")),
        ("What is GrokWeb?", ("chat service",)),
        ("How do I start a new chat?", ("New chat",)),
        ("How do I share a conversation?", ("Create a link",)),
        ("Comment partager une conversation ?", ("Partager",)),
        ("What does position 3 mean?", ("before yours",)),
        ("What if I close the tab?", ("Nothing is lost",)),
        ("How do I stop an answer?", ("Stop",)),
        ("How do I report a bad answer?", ("Report",)),
        ("Where is the admin panel?", ("/admin/",)),
        ("How do I run another model?", ("GROKWEB_MODEL",)),
        ("Tell me a joke", ("!", "?")),
        ("Who won the election in 1987?", ("small", "tiny")),
    ],
)
def test_answers_are_sensible(
    step: TorchStep, tokenizer: ChatTokenizer, asked: str, words: tuple[str, ...]
) -> None:
    said = answer(step, tokenizer, asked)
    assert any(word in said for word in words), said
    assert "\ufffd" not in said


def test_the_same_question_gets_the_same_answer(step: TorchStep, tokenizer: ChatTokenizer) -> None:
    for asked in ("Tell me a story", "Qui es-tu ?"):
        assert answer(step, tokenizer, asked) == answer(step, tokenizer, asked)


def test_it_says_who_it_is_in_the_middle_of_a_talk(step: TorchStep, tokenizer: ChatTokenizer) -> None:
    assert "demo" in answer(step, tokenizer, "Hello", "Tell me a joke", "Who are you?")


def test_a_long_talk_fills_the_context_without_breaking(step: TorchStep, tokenizer: ChatTokenizer) -> None:
    turn = [
        {"role": "user", "content": "How do I log out?"},
        {"role": "assistant", "content": "Open the menu at the bottom left and choose Log out."},
        {"role": "user", "content": "Thanks"},
        {"role": "assistant", "content": "You're welcome!"},
    ]
    messages = turn * 27 + [{"role": "user", "content": "Who are you?"}]
    prompt = tokenizer.render_chat(messages)
    assert 750 < len(prompt) < 960  # far beyond the windows most of the training used
    assert "demo" in tokenizer.decode(greedy(step, tokenizer, prompt, most=60))


def test_step_and_generate_say_the_same(
    model: Grok1ForCausalLM, step: TorchStep, tokenizer: ChatTokenizer
) -> None:
    prompt = tokenizer.render_chat([{"role": "user", "content": "Explain in detail how you work."}])
    ids = torch.tensor([prompt])
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=40,
        do_sample=False,
        eos_token_id=sorted(tokenizer.stop_ids),
    )
    assert made[0, len(prompt) :].tolist() == greedy(step, tokenizer, prompt, most=40)


def test_the_folder_is_small_and_describes_itself() -> None:
    files = describe(DEMO)
    assert (files.slug, files.is_demo, files.chat_template) == ("grokweb-demo", True, "demo")
    assert files.context == 1024
    assert 4e6 < files.parameters < 6e6
    assert sum(file.stat().st_size for file in DEMO.iterdir()) < 25e6
    assert manifest.check(DEMO, ["model.safetensors", "config.json", "tokenizer.model", "grokweb.json"])
    config = json.loads((DEMO / "config.json").read_text())
    assert (config["num_local_experts"], config["num_experts_per_tok"]) == (8, 2)  # as in Grok-1


# -- what it has never read ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    """Every identity probe and a third of the other held-out questions, the same ones each time."""
    probes = read_probes()
    identity = [probe for probe in probes if probe.kind == "identity"]
    others = [probe for probe in probes if probe.kind != "identity"]
    some = identity + random.Random(7).sample(others, len(others) // 3)  # noqa: S311 - no secret
    return judge(*open_model(DEMO), some)


@pytest.mark.engines
@pytest.mark.parametrize(
    ("part", "least"),
    [
        ("product", 0.88),
        ("identity", 0.92),
        ("small", 0.78),
        ("french", 0.7),
        ("french out", 0.97),
        ("no false claim", 1.0),
    ],
)
def test_it_answers_questions_it_has_never_read(judged: list[Judged], part: str, least: float) -> None:
    share = shares(judged)[part]
    assert share.of >= 15
    wrong = [(one.probe.question, one.reply) for one in judged if not one.right and one.probe.kind == part]
    assert share.right / share.of >= least, wrong


@pytest.fixture(scope="module")
def judged_features() -> list[Judged]:
    return judge(*open_model(DEMO), read_probes(FEATURES))


@pytest.mark.engines
@pytest.mark.parametrize(("part", "least"), [("feature", 0.7), ("french out", 0.97), ("no false claim", 1.0)])
def test_it_explains_the_features_of_the_page(judged_features: list[Judged], part: str, least: float) -> None:
    share = shares(judged_features)[part]
    assert share.of >= 30
    assert share.right / share.of >= least, [(one.probe.question, one.reply) for one in judged_features]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("Can I attach a file?", "Attach files"),
        ("How do I search my conversations?", "Ctrl+K"),
        ("How do I export my chats?", "Export…"),
        ("Can I edit my message?", "Edit"),
        ("Puis-je joindre un fichier ?", "Joindre des fichiers"),
        ("Comment exporter mes conversations ?", "Exporter…"),
        ("Peut-on modifier un message ?", "Modifier"),
        ("How do I make a folder?", "Move to a folder"),
        ("What is a temporary chat?", "Temporary"),
        ("Comment importer mes conversations ?", "Vos données"),
    ],
)
def test_it_no_longer_denies_what_the_page_can_do(
    step: TorchStep, tokenizer: ChatTokenizer, asked: str, words: str
) -> None:
    assert words in answer(step, tokenizer, asked)


# -- how it was trained --------------------------------------------------------------------------------


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """The recipe over a corpus of one line a file."""
    lines = {
        "tatoeba-en-fr": ('Translate into French: "The horse is thirsty."', "Le cheval a soif ici."),
        "wordnet-definitions": ("Define river.", "A large natural stream."),
    }
    for name, (question, reply) in lines.items():
        talk = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"messages": talk}) + "\n")
    return Recipe(tmp_path, seed=3)


@pytest.mark.engines
def test_the_recipe_is_seeded_and_every_kind_of_talk_is_whole(recipe: Recipe, tmp_path: Path) -> None:
    talks = [recipe.conversation(3) for _ in range(300)]
    again = Recipe(tmp_path, seed=3)
    assert talks == [again.conversation(3) for _ in range(300)]
    for talk in talks:
        roles = [message["role"] for message in talk if message["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(message["content"].strip() for message in talk)
        assert not any("{" in message["content"] and "}" in message["content"] for message in talk)


@pytest.mark.engines
def test_an_english_word_alone_is_never_asked_in_french(recipe: Recipe) -> None:
    """Words like "export" and "bye" stand in the French text, too; nobody may be answered in either."""
    texts = {group.key: group for group in recipe.groups.values()}
    english = [pattern(t) for group in texts.values() if not group.french for t in group.questions]
    assert any(one.fullmatch(plain("export")) for one in english)
    for intent in ("export", "bye", "hello", "log out"):
        asked = {recipe._typed(texts[intent, True]) for _ in range(150)}
        assert len(asked) > 50
        short = {plain(text) for text in asked if len(text.split()) < 3}
        assert not {text for text in short if any(one.fullmatch(text) for one in english)}


@pytest.mark.engines
def test_training_reads_conversations_as_they_are_served(recipe: Recipe, tokenizer: ChatTokenizer) -> None:
    talk = recipe.conversation(2)
    ids, weights = spans(tokenizer, talk)
    assert ids[: -len(tokenizer.encode(talk[-1]["content"])) - 1] == tokenizer.render_chat(talk[:-1])
    assert len(ids) == len(weights)
    assert weights[-1] == 1.0  # it learns to end its turn
    window, weight, owner = next(windows(recipe, tokenizer, 64))
    assert window.shape == weight.shape == owner.shape == (65,)
    assert window[0] == 1


def test_an_int8_folder_can_be_trained_further(model: Grok1ForCausalLM) -> None:
    """Its weights as floats are those that the served model computes with."""
    weights = float_weights(DEMO)
    again = Grok1ForCausalLM(demo_config())
    again.load_state_dict(weights)
    ids = torch.tensor([[1, 900, 901, 902]])
    with torch.inference_mode():
        torch.testing.assert_close(
            again(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-2, rtol=1e-2
        )


@pytest.mark.engines
def test_favoured_intents_are_asked_more_often_and_answered_whole(recipe: Recipe, tmp_path: Path) -> None:
    drawn = favoured(["features.txt=30", "joke=1.5"])
    assert drawn["persona"] == drawn["import"] == 30
    assert drawn["joke"] == 1.5
    often = Recipe(tmp_path, 3, drawn)
    new = often.groups["persona", False].answers + often.groups["import", True].answers

    def times(one: Recipe) -> int:
        return sum(message["content"] in new for _ in range(300) for message in one.conversation(1))

    assert times(often) > 3 * times(recipe)
    often.cut = 1.0
    known = often.groups["joke", False].answers[0]
    assert not often.cuts([{"role": "assistant", "content": new[0]}])
    assert often.cuts([{"role": "assistant", "content": known}])


def test_a_packed_window_hides_its_neighbours(model: Grok1ForCausalLM, tokenizer: ChatTokenizer) -> None:
    first, second = tokenizer.encode("Hello there, who are you?"), tokenizer.encode("Bonjour")
    ids = torch.tensor([first + second])
    owner = torch.tensor([[0] * len(first) + [1] * len(second)])
    with torch.inference_mode():
        packed = model(input_ids=ids, attention_mask=packed_mask(owner)).logits[0, len(first) :]
        alone = model(input_ids=torch.tensor([second])).logits[0]
    torch.testing.assert_close(packed, alone, atol=1e-3, rtol=1e-3)  # positions are relative
