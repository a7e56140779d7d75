"""Measures the page while a long reply arrives: a real chromium and service, one person, one tab.

The reply has 4,000 words (tokens of the scripted engine) at 50 a second: prose, lists, tables, code in five
languages and 60 formulas. CPU is that of the page's main thread by its own clock: what else runs here counts
little. The longest task is told by both clocks: by the wall's it grows with everything else that runs.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from grokweb import install_steps
from tests import browser
from tests.bench.report import Figure, figure
from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.people import invite
from tests.grokweb.service import Service

WORDS, PACE_MS, FORMULAS = 4000, 20, 60
ROUNDS = 2
DEADLINE = WORDS * PACE_MS / 1000 + 120
ENVIRONMENT = {"GROKWEB_MAX_NEW_TOKENS": "4096", "GROKWEB_DAILY_TOKENS": "100000000"}
TASK = "ThreadControllerImpl::RunTask"

PROSE = (
    "The starter is fed twice a day, and the dough rests until it has *doubled*; see "
    "[the guide](https://example.org/bread) or `bake --slow`. What looks like patience "
    "is **chemistry**: enzymes cut starch into sugar, yeast turns sugar into gas, and gluten "
    "holds the gas in a web of thin walls. "
)
FORMULA = (
    r"So \(x_{%d} = \frac{a_{%d} + \sqrt{b^2 - 4ac}}{2a}\) where $e^{i\pi k} = (-1)^k$ for all $k \leq %d$.",
    r"$$\sum_{n=1}^{%d} \frac{1}{n^2} < \int_1^{%d} \frac{dt}{t} + %d$$",
)
CODE = {
    "python": "def step_%d(flour: float) -> float:\n    return 100 * flour / 350  # baker's percentage\n",
    "javascript": "export const step%d = (flour) => {\n  return `${flour} g`; // words\n};\n",
    "sql": "SELECT name, sum(grams) FROM flour WHERE batch = %d GROUP BY name;\n",
    "rust": 'fn step_%d(flour: u32) -> String {\n    format!("{} g", flour)\n}\n',
    "bash": 'for each in *.flour; do\n  echo "$each" %d\ndone\n',
}
LIST = "1. Weigh\n2. Mix, then wait:\n   - four hours in a warm kitchen\n   - a night in the cold\n3. Bake\n"


def table(number: int) -> str:
    rows = "".join(f"| batch {number} | {i * 100} g | {i * 70} g | **{i}** |\n" for i in range(1, 7))
    return f"| Name | Flour | Water | Loaves |\n| --- | ---: | ---: | :---: |\n{rows}"


def section(number: int) -> str:
    """One of fifteen: four formulas, a table, a list and a block of code in each."""
    language = list(CODE)[number % len(CODE)]
    formulas = [FORMULA[0] % ((number,) * 3), FORMULA[1] % ((number + 2,) * 3)]
    code = "\n".join(CODE[language] % (number * 10 + i) for i in range(4))
    parts = [
        f"## Part {number}",
        PROSE + formulas[0],
        LIST,
        f"```{language}\n{code}```",
        formulas[1],
        table(number),
    ]
    return "\n\n".join(parts)


def reply() -> str:
    """Exactly WORDS words; what the sections leave over is prose."""
    sections = FORMULAS // 4
    text = "\n\n".join(section(number) for number in range(sections))
    missing = WORDS - len(text.split())
    filler = (PROSE.split() * (missing // len(PROSE.split()) + 1))[:missing]
    share = len(filler) // sections + 1
    parts = [" ".join(filler[at * share : (at + 1) * share]) for at in range(sections)]
    return "\n\n".join(f"{section(number)}\n\n{parts[number]}" for number in range(sections)).strip()


@dataclass
class Watched:
    """The results of one round."""

    cpu: list[tuple[int, float]] = field(
        default_factory=list
    )  # words shown or announced, seconds of the main thread
    frames: list[float] = field(default_factory=list)  # when each frame with words came
    longest: float = 0.0  # of one task of the main thread, milliseconds of the wall clock
    cpu_of_longest: float = 0.0  # the same by the thread's own clock

    @property
    def seconds(self) -> float:
        return self.cpu[-1][1] - self.cpu[0][1]

    @property
    def halves(self) -> float:
        half = min(self.cpu, key=lambda each: abs(each[0] - WORDS / 2))[1]
        streamed = next(each[1] for each in self.cpu if each[0] >= WORDS)
        return (streamed - half) / (half - self.cpu[0][1])

    @property
    def frames_a_second(self) -> float:
        return (len(self.frames) - 1) / (self.frames[-1] - self.frames[0])


def longest(trace: dict[str, list[dict[str, Any]]]) -> tuple[float, float]:
    """Milliseconds of the longest task of the page's main thread, by its own clock and by the wall's."""
    events = trace["traceEvents"]
    named = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    tasks: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for each in events:
        where = (each["pid"], each["tid"])
        if each["name"] == TASK and "dur" in each and named.get(where) == "CrRendererMain":
            tasks.setdefault(where, []).append(each)
    ours = max(tasks.values(), key=lambda all_: sum(task.get("tdur", 0) for task in all_))
    return max(task.get("tdur", 0) for task in ours) / 1000, max(task["dur"] for task in ours) / 1000


class Round:
    """One reply on one page, watched from the question to the settled answer."""

    def __init__(self, chromium: Browser, page: Page, text: str) -> None:
        self.browser, self.page, self.text, self.seen, self.at = chromium, page, text, Watched(), 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _frame(self, payload: str | bytes) -> None:
        frame = json.loads(payload)
        if frame.get("type") == "token":
            self.at = frame["seq"]
            self.seen.frames.append(time.monotonic())

    def _sample(self, session: CDPSession) -> None:
        metrics = session.send("Performance.getMetrics")["metrics"]
        self.seen.cpu.append((self.at, next(m["value"] for m in metrics if m["name"] == "TaskDuration")))

    def watch(self) -> Watched:
        self.page.goto("/")
        chat = Chat(self.page)
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        chat.box.fill(f"pace:{PACE_MS}:{self.text}")
        self.browser.start_tracing(page=self.page, categories=["toplevel"])
        self._sample(session)
        chat.box.press("Enter")
        deadline = time.monotonic() + DEADLINE
        while chat.answers.count() == 0 or chat.answers.last.get_attribute("aria-busy") != "false":
            assert time.monotonic() < deadline, f"the reply stands at word {self.at}"
            self.page.wait_for_timeout(1000)
            self._sample(session)
        self.page.wait_for_timeout(2000)  # colours and formulas that come late
        self._sample(session)
        self.seen.cpu_of_longest, self.seen.longest = longest(json.loads(self.browser.stop_tracing()))
        assert self.at == WORDS, f"{self.at} words came"
        assert (set_ := chat.answer.locator("math").count()) == FORMULAS, f"{set_} formulas were set"
        return self.seen


def measure(service: Service) -> list[Watched]:
    people = invite(ROUNDS, service.environment)
    origin = f"http://localhost:{service.port}"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find(), args=browser.OPTIONS)
        windows = Windows(chromium, origin, Witness(origin))
        rounds = []
        for person in people[1:]:
            page = windows.window(person, reduced_motion=False).new_page()
            rounds.append(Round(chromium, page, reply()).watch())
            page.close()
        chromium.close()
    return rounds


def run() -> list[Figure]:
    if browser.find() is None:
        print(browser.MISSING)
        return []
    install_steps.build_static()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), **ENVIRONMENT)
        try:
            rounds = measure(service.start().wait_until_ready())
        finally:
            service.close()
    return [
        figure("render main-thread CPU, 4,000 words", [one.seconds for one in rounds], "s", floor=8, aim=5),
        figure(
            "render second half of it to the first", [one.halves for one in rounds], "x", floor=1.2, aim=1
        ),
        figure("render longest task", [one.longest for one in rounds], "ms", floor=200, aim=100),
        figure("render CPU of the dearest task", [one.cpu_of_longest for one in rounds], "ms"),
        figure("render frames a second", [one.frames_a_second for one in rounds], "1/s", floor=25, aim=25),
    ]
