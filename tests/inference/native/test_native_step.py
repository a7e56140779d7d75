"""The native step: xAI's answers, and the same bits however the tokens come; and what happens without it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference import settings
from inference.engines.local import LocalEngine
from inference.grok1.network import Constants, Network, load_for_serving
from inference.grok1.quantize import quantise_folder
from inference.grok1.step import TorchStep
from inference.grok1.tokenizer import load_tokenizer
from inference.model_dir.describe import describe
from inference.model_dir.grok1_tensors import tensors_of
from inference.native import build as native_build
from inference.native import library as native_library
from inference.native.build import NotBuilt
from inference.native.step import NativeStep
from tests.inference.engine_fakes import request
from tests.inference.grok1_golden import (
    FLOAT32_SD,
    PROMPTS,
    Golden,
    assert_same_greedy,
    build,
    feed,
    load_config,
    load_golden,
    load_int8,
    load_weights,
    off_by,
    reference,
    spoken,
)
from tests.inference.listening import Listener, unexpected

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "inference" / "demo" / "model"
TALKS = ROOT / "tests" / "data" / "held_out_talks.jsonl"
FORMS = ("float32", "int8", "dot8")
SAME_ARGMAX = 0.98

pytestmark = pytest.mark.skipif(
    not native_build.compiler(), reason="there is no C++ compiler here: the native step was not built"
)


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    """The reference model in floats, and in xAI's own integers and scales."""
    floats = Network.from_model(build(load_config(), load_weights()))
    int8 = Network.from_tensors(Constants.of(load_config()), load_int8(), exact=True)
    return {"float32": floats, "int8": int8, "dot8": int8}


@pytest.fixture(scope="module")
def demo() -> Network:
    return load_for_serving(DEMO, exact=True)


def native(networks: dict[str, Network], form: str, rows: int = 1, threads: int = 1) -> NativeStep:
    return NativeStep(networks[form], rows, 128, threads=threads, dot8=form == "dot8")


# -- xAI's answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["float32", "int8"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_it_answers_as_xais_code(
    networks: dict[str, Network], golden: Golden, prompt: str, form: str
) -> None:
    tokens, later = spoken(golden, prompt)
    step = native(networks, form)
    whole = feed(step, 0, tokens, 0, hide=1, chunk=len(tokens))
    ours = np.concatenate([whole, feed(step, 0, later, len(tokens), hide=0, chunk=1)])
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD
    # Rows of int16 lose 2^-16 of a block's largest: enough to turn a choice that hangs on 4e-5 (one does).
    assert_same_greedy(ours, golden, prompt, lead=0.0 if form == "float32" else FLOAT32_SD)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_int8_rows_stay_near_xais_answers(networks: dict[str, Network], golden: Golden, prompt: str) -> None:
    """Rows rounded to int8 choose another expert now and then; in the median they are near."""
    tokens, later = spoken(golden, prompt)
    step = native(networks, "dot8")
    ours = feed(step, 0, tokens, 0, hide=1, chunk=64)
    if later:
        ours = np.concatenate([ours, feed(step, 0, later, len(tokens), hide=0, chunk=1)])
    theirs = reference(golden, prompt)
    rms = np.sqrt(((ours - theirs) ** 2).mean(axis=1)) / theirs.std(axis=1)
    assert np.median(rms) < 0.12


def test_token_0_is_hidden_only_while_the_prompt_is_read(networks: dict[str, Network]) -> None:
    """Torch's step does the same; the parity tests compare its mask with xAI's."""
    ids, hide = [1, 0, 5, 0, 9, 4, 0, 8], [1, 1, 1, 1, 1, 0, 0, 0]
    n = len(ids)
    ours = native(networks, "float32").step(ids, [0] * n, range(n), hide, range(n))
    theirs = TorchStep(networks["float32"], 1, 128).step(ids, [0] * n, range(n), hide, range(n))
    assert off_by(ours.numpy(), theirs.numpy()) < FLOAT32_SD
    seen = native(networks, "float32").step(ids, [0] * n, range(n), [0] * n, range(n))
    assert off_by(seen.numpy(), theirs.numpy()) > 10 * FLOAT32_SD


# -- the same bits, whoever else is served -------------------------------------------------------------


class Stranger:
    """Somebody else's conversation: random tokens in chunks of any length, begun anew when it is long."""

    def __init__(self, row: int, seed: int) -> None:
        self.row, self.random, self.at = row, random.Random(seed), 0  # noqa: S311

    def next(self) -> tuple[list[int], int]:
        if self.at > 90:
            self.at = 0
        ids = [self.random.randrange(320) for _ in range(self.random.choice((1, 1, 2, 7, 30)))]
        start, self.at = self.at, self.at + len(ids)
        return ids, start


def in_a_crowd(step: NativeStep, ids: Sequence[int], hide: Sequence[int], seed: int) -> np.ndarray:
    """The logits after each of `ids`, fed in chunks of chance beside strangers who come and go."""
    draw = random.Random(seed)  # noqa: S311
    strangers = [Stranger(row, seed + row) for row in range(step.rows) if row != 2]
    got: list[torch.Tensor] = []
    fed = 0
    while fed < len(ids):
        take = min(draw.choice((1, 1, 3, 8, 20)), len(ids) - fed)
        parts = [(2, list(ids[fed : fed + take]), fed, list(hide[fed : fed + take]))]
        for stranger in draw.sample(strangers, draw.randrange(len(strangers) + 1)):
            theirs, start = stranger.next()
            parts.append((stranger.row, theirs, start, [draw.randrange(2)] * len(theirs)))
        draw.shuffle(parts)
        flat: tuple[list[int], ...] = ([], [], [], [])
        out_at: list[int] = []
        for row, tokens, start, hidden in parts:
            if row == 2:
                out_at = [len(flat[0]) + i for i in range(len(tokens))]
            for column, values in zip(
                flat, (tokens, [row] * len(tokens), range(start, start + len(tokens)), hidden), strict=True
            ):
                column.extend(values)
        got.append(step.step(*flat, out_at))  # type: ignore[call-arg]
        fed += take
    return torch.cat(got).numpy()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("threads", [1, 3])
def test_an_answer_does_not_depend_on_who_else_is_served(
    networks: dict[str, Network], form: str, threads: int
) -> None:
    ids = [random.Random(7).randrange(320) for _ in range(100)]  # noqa: S311
    ids[9] = ids[60] = 0
    hide = [1] * 70 + [0] * 30
    n = len(ids)
    alone = native(networks, form).step(ids, [0] * n, range(n), hide, range(n)).numpy()
    for seed in range(3):
        crowd = in_a_crowd(native(networks, form, rows=9, threads=threads), ids, hide, seed)
        assert crowd.tobytes() == alone.tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_one_by_one_and_resumed_are_the_same_bits(networks: dict[str, Network], form: str) -> None:
    ids = [random.Random(8).randrange(1, 320) for _ in range(60)]  # noqa: S311
    step = native(networks, form)
    whole = feed(step, 0, ids, 0, hide=1, chunk=60)
    assert feed(step, 0, ids, 0, hide=1, chunk=1).tobytes() == whole.tobytes()
    feed(step, 0, [5, 0, 7], 40, hide=0, chunk=3)  # another continuation, which is taken back
    assert feed(step, 0, ids[40:], 40, hide=1, chunk=9).tobytes() == whole[40:].tobytes()
    again = native(networks, form)  # another process
    assert feed(again, 0, ids, 0, hide=1, chunk=13).tobytes() == whole.tobytes()


def _rounded(folder: Path) -> dict[str, torch.Tensor]:
    """Every weight as the bfloat16 nearest to it, in float32."""
    stored = load_file(folder / "model.safetensors")
    return {name: tensor.bfloat16().float() for name, tensor in stored.items()}


def test_bfloat16_weights_are_read_without_loss(demo_floats: Path) -> None:
    """Weights stored in two bytes are packed in two, and count as their float32."""
    config = load_for_serving(demo_floats).config
    demo = Network.from_tensors(config, _rounded(demo_floats))
    wide = replace(
        demo,
        embedding=demo.embedding + 2.0**-20,  # no bfloat16 any more
    )
    narrow = NativeStep(demo, 1, 64)
    n = 40
    batch = (list(range(300, 300 + n)), [0] * n, range(n), [1] * n, range(n))
    theirs = TorchStep(demo, 1, 64).step(*batch)
    assert off_by(narrow.step(*batch).numpy(), theirs.numpy()) < FLOAT32_SD
    theirs = TorchStep(wide, 1, 64).step(*batch)
    assert off_by(NativeStep(wide, 1, 64).step(*batch).numpy(), theirs.numpy()) < FLOAT32_SD


@pytest.mark.parametrize("dot8", [False, True])
def test_int8_chooses_as_float32(demo: Network, demo_floats: Path, dot8: bool) -> None:
    """At every token of the held-out answers."""
    tokenizer = load_tokenizer(DEMO)
    exact = TorchStep(load_for_serving(demo_floats), 1, 1024)
    quick = NativeStep(demo, 1, 1024, dot8=dot8)
    same = total = 0
    for line in TALKS.read_text().splitlines():
        talk = json.loads(line)["messages"]
        prompt = tokenizer.render_chat(talk[:1])
        ids = [*prompt, *tokenizer.encode(talk[1]["content"])]
        n = len(ids)
        batch = (ids, [0] * n, range(n), [1] * n, range(len(prompt) - 1, n))
        ours, theirs = (step.step(*batch).argmax(1) for step in (quick, exact))
        same, total = same + int((ours == theirs).sum()), total + len(ours)
    print(f"same argmax on {same / total:.2%} of {total} held-out tokens")
    assert same >= SAME_ARGMAX * total


# -- bad input and trouble -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "row", "pos", "hide", "out_at"),
    [
        ([], [], [], [], []),
        ([320], [0], [0], [0], [0]),
        ([-1], [0], [0], [0], [0]),
        ([1], [1], [0], [0], [0]),
        ([1], [-1], [0], [0], [0]),
        ([1], [0], [128], [0], [0]),
        ([1], [0], [-1], [0], [0]),
        ([1], [0], [1], [0], [0]),
        ([1], [0], [0], [0], [1]),
        ([1], [0], [0], [0], [-1]),
        ([1, 2], [0, 0], [0, 2], [0, 0], [0]),
        ([1], [0], [0], [], [0]),
        ([1, 2], [0], [0], [0, 0], [0]),
    ],
)
def test_a_batch_that_reaches_outside_is_refused(
    networks: dict[str, Network],
    ids: list[int],
    row: list[int],
    pos: list[int],
    hide: list[int],
    out_at: list[int],
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        native(networks, "float32").step(ids, row, pos, hide, out_at)


@pytest.mark.parametrize("form", FORMS)
def test_a_broken_weight_shows_as_nan(networks: dict[str, Network], form: str) -> None:
    """The scheduler fails a request whose logits are not finite; a fault must not hide from it."""
    network = networks[form]
    last = network.layers[-1]
    broken = last._replace(norms=(last.norms[0], last.norms[1], last.norms[2] * float("nan"), last.norms[3]))
    step = NativeStep(replace(network, layers=(*network.layers[:-1], broken)), 1, 16, dot8=form == "dot8")
    assert step.step([5], [0], [0], [0], [0]).isnan().any()


def test_sizes_without_code_are_refused(networks: dict[str, Network]) -> None:
    odd = replace(networks["float32"], config=replace(networks["float32"].config, head_dim=24))
    with pytest.raises(NotBuilt, match="head_dim 24 is no multiple of 16"):
        NativeStep(odd, 1, 16)


PACK = """
import re, sys
from pathlib import Path
import torch
from inference.grok1.network import open_for_packing
from inference.native.step import NativeStep

torch.mm(torch.ones(64, 64), torch.ones(64, 64))
# Not getrusage(), which begins with what the process that forked this one had.
taken = lambda: int(re.search("VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = taken()
NativeStep(open_for_packing(Path(sys.argv[1])), 1, 16)
print((taken() - before) * 1024)
"""


@pytest.mark.parametrize("form", ["float32", "int8"])
def test_packing_never_holds_the_model_twice(tmp_path: Path, form: str) -> None:
    sizes = json.loads((DEMO / "config.json").read_text())
    del sizes["quantization_config"]
    sizes |= {"hidden_size": 256, "intermediate_size": 4_096, "num_hidden_layers": 1, "num_local_experts": 8}
    folder = tmp_path / "floats"
    folder.mkdir()
    shapes = {one.name: one.shape for one in tensors_of(sizes, folder)}
    save_file({name: torch.rand(shape) for name, shape in shapes.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(sizes))
    shutil.copyfile(DEMO / "tokenizer.model", folder / "tokenizer.model")
    if form == "int8":
        quantise_folder(folder, tmp_path / "int8")
        folder = tmp_path / "int8"
    command = [sys.executable, "-c", PACK, str(folder)]
    peak = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert int(peak) < 1.2 * describe(folder).weight_bytes + 20e6  # modules that are imported meanwhile


# -- when it is not there ------------------------------------------------------------------------------

SAY = """
from inference.engines import load_engine
engine = load_engine(%r, slots=1, threads=1)
print(engine.back_end, "|", engine.fingerprint)
"""


def back_end(env: dict[str, str]) -> str:
    """Returns the back end on which a fresh process would run the demo model."""
    done = subprocess.run(
        [sys.executable, "-c", SAY % str(DEMO)],
        env={**os.environ, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_it_runs_where_it_can_and_torch_where_it_is_not_wanted() -> None:
    assert back_end({"GROKWEB_NATIVE": ""}).startswith("native")
    said = back_end({"GROKWEB_NATIVE": "0"})
    assert said.startswith("torch")
    assert "torch-" in said


def record(tmp_path: Path, **changed: object) -> tuple[Path, Path]:
    path = tmp_path / "step.json"
    path.write_text(json.dumps(json.loads(native_build.RECORD.read_text()) | changed))
    return native_build.OBJECT, path


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"flags": ["avx9000"]}, "built for a processor with avx9000"),
        ({"source": "0"}, "another source"),
        ({"object": "0"}, "not the one that was recorded"),
    ],
)
def test_an_object_that_does_not_fit_is_not_loaded(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(NotBuilt, match=said):
        native_library._open(*record(tmp_path, **changed))


def test_no_object_is_no_error_but_a_reason(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="make install"):
        native_library._open(tmp_path / "step.so", tmp_path / "step.json")


def test_no_compiler_is_one_line_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/g++")
    assert native_build.main() == 0
    assert "torch" in capsys.readouterr().out


def test_both_back_ends_write_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = []
    for wanted in (True, False):
        monkeypatch.setattr(settings, "NATIVE", wanted)
        engine = LocalEngine(DEMO, slots=2, threads=1, exit=unexpected)
        heard = Listener()
        engine.start(heard)
        engine.submit(request("Hello, who are you?", "hello", max_new_tokens=60), ())
        replies.append(heard.end("hello")[:2])
        engine.stop()
    assert replies[0] == replies[1]
    assert replies[0][1]
