"""A package with one file for each kind of extension is installed, and everything shows and uses them.

It is a distribution as pip installs one: modules and metadata with entry points, in a folder on sys.path.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from chat.conversations.models import Conversation
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, RefusedByRule
from chat.moderation import blocking
from chat.moderation.models import Rule
from chat.moderation.rules import RULES
from chat.search.backends import BACKENDS, backend_for
from chat.sharing.models import Share
from chat.sharing.policies import POLICIES
from chat.tools.registry import TOOLS
from chat.tools.services import described, offered_to
from chat.transfer.formats import FORMATS
from inference.base.registry import Registry
from inference.engines import ENGINES, engine_for
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.transfer.importing import bring, report

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(encoding="utf-8"), re.DOTALL
)
REGISTRIES: list[Registry[Any]] = [ENGINES, RULES, POLICIES, FORMATS, BACKENDS, TOOLS]
# Names that no extension of ours or of an installed package has.
POINTS = {
    "grokweb.engines": "extra_parrot = extra_engine:Parrot",
    "grokweb.rules": "extra_shouting = extra_rule:Shouting",
    "grokweb.share_policies": "extra_riddle = extra_policy:Riddle",
    "grokweb.transfer_formats": "extra_diary = extra_format:Diary",
    "grokweb.search_backends": "extra_nothing = extra_search:Nothing",
    "grokweb.tools": "extra_dice = extra_tool:Dice",
}
MODULES = {
    "extra_engine.py": """
from inference.engines.entry import ModelAbout
from inference.engines.scripted import ScriptedEngine

class Parrot:
    label = "a parrot"

    def describe(self, model):
        return ModelAbout(slug=f"parrot-{model}", name="Parrot", context=512)

    def usable_context(self, model, wanted):
        return 512

    def create(self, model, *, slots, threads, cache_bytes, context):
        return ScriptedEngine(slots=slots)
""",
    "extra_rule.py": """
import re
from django import forms
from chat.moderation.rules.base import RuleKind
from inference.base.findings import Finding

class Shouting(RuleKind):
    label = "shouting"
    fields = {"letters": forms.IntegerField(label="Capital letters in a row", min_value=3)}

    def find(self, text, options):
        for found in re.finditer(r"[A-Z]+", text):
            if len(found[0]) >= options["letters"]:
                yield Finding(found.start(), found.end(), "shout")

    def for_replies(self, options):
        return "(?-i:[A-Z]{%d})" % options["letters"]

    def summary(self, options):
        return f"{options['letters']} letters"
""",
    "extra_policy.py": """
from django import forms
from chat.sharing.policies.base import Policy

class Riddle(Policy):
    label = "people who solve a riddle"
    fields = {"riddle": forms.CharField(label="Riddle"), "answer": forms.CharField(label="Its answer")}
    questions = {"answer": forms.CharField(label="Your answer")}
    heading = "Solve the riddle"
    wrong = "No."

    def may_open(self, share, reader):
        return True

    def is_right(self, share, answers):
        return answers["answer"] == share.options["answer"]
""",
    "extra_format.py": """
from chat.transfer.imported_conversation import ImportedConversation, ImportedMessage, finished
from chat.transfer.imported_conversation import in_a_row, list_of, text_of
from chat.transfer.export import File
from chat.transfer.formats.base import Format

class Diary(Format):
    label = source = "Diary"
    suffixes = (".diary",)
    writes = True
    export_label = "A diary"
    export_suffix = ".diary"

    def fits(self, record):
        return isinstance(record.get("entries"), list)

    def read(self, record):
        draft = ImportedConversation(self.source, title=text_of(record.get("title")))
        for number, entry in enumerate(list_of(record["entries"])):
            role = ("user", "assistant")[number % 2]
            message = ImportedMessage(str(number), None, role=role, text=text_of(entry))
            draft.nodes.append(message)
        in_a_row(draft.nodes)
        return finished(draft)

    def write(self, conversation, viewer):
        texts = conversation.messages.order_by("created_at").values_list("text", flat=True)
        return File("a.diary", "text/plain", iter(["Dear diary: ", ", ".join(texts)]))
""",
    "extra_tool.py": """
from chat.tools.base import Tool

class Dice(Tool):
    label = "dice"
    description = "Throws dice."

    def run(self, call):
        return "6"
""",
    "extra_search.py": """
from chat.search.backends import Backend

class Nothing(Backend):
    label = "finds nothing"

    def rows(self, cursor, owner, kind, terms, below, limit):
        return []
""",
}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, code in MODULES.items():
        (tmp_path / name).write_text(code)
    about = tmp_path / "grokweb_extra-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: grokweb-extra\nVersion: 1.0\n")
    points = "\n".join(f"[{group}]\n{line}\n" for group, line in POINTS.items())
    (about / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    for registry in REGISTRIES:
        registry.reload()
    yield tmp_path
    monkeypatch.undo()
    for name in MODULES:
        sys.modules.pop(name.removesuffix(".py"), None)
    for registry in REGISTRIES:
        registry.reload()


def defined_by(code: str) -> Any:
    """Returns the class that an example of the documentation defines."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)  # noqa: S102 - our own page
    (made,) = [each for each in names.values() if getattr(each, "__module__", "") == "example"]
    return made


def test_each_extension_is_one_file_and_changes_none_of_ours(package: Path) -> None:
    assert len(list(package.glob("*.py"))) == len(POINTS) == len(REGISTRIES)
    for registry in REGISTRIES:
        assert registry.problems() == []
        assert list(registry)[-1] in POINTS[registry.group]
        assert list(registry)[-1] not in registry.table


@pytest.mark.parametrize(
    ("registry", "name"),
    [(POLICIES, "password"), (RULES, "secrets"), (FORMATS, "jsonl"), (FORMATS, "gemini")],
)
def test_an_extension_of_ours_is_one_file_and_one_line(registry: Registry[Any], name: str) -> None:
    """Nothing but its table names the module or the class."""
    module, _, attribute = registry.table[name].rpartition(".")
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    named = re.compile(rf"{re.escape(module)}\b|\b{attribute}\(|\bimport {attribute}\b")
    files = [
        path.relative_to(ROOT).as_posix()
        for folder in ("chat", "grokweb", "templates", "static")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".html", ".js"} and named.search(path.read_text())
    ]
    table = sys.modules[registry.table[name].rpartition(".")[0].rpartition(".")[0]].__file__
    own = f"{module.replace('.', '/')}.py"
    assert set(files) - {own} == {Path(str(table)).relative_to(ROOT).as_posix()}


@pytest.mark.parametrize(
    ("registry", "code"),
    list(zip([ENGINES, RULES, POLICIES, FORMATS, TOOLS], EXAMPLES, strict=True)),
    ids=["engine", "rule", "policy", "format", "tool"],
)
def test_an_example_of_the_documentation_loads_as_it_stands(registry: Registry[Any], code: str) -> None:
    made = defined_by(code)
    assert [name for name in registry.required if not hasattr(made, name)] == []


def test_the_documented_rule_checks_its_options_and_finds_long_links() -> None:
    kind = defined_by(EXAMPLES[1])()
    with pytest.raises(BadInput):
        kind.check({})
    kind.check({"most": 20})
    (found,) = kind.find("see https://example.org/a/b/c and https://x.org", {"most": 20})
    assert (found.start, found.end) == (4, 29)


def test_an_engine_is_asked_for_by_its_name() -> None:
    entry, model = engine_for("extra_parrot:grey")
    assert (entry.label, entry.describe(model).slug) == ("a parrot", "parrot-grey")
    assert entry.create(model, slots=3, threads=1, cache_bytes=0, context=0).slots == 3


def test_a_rule_has_its_fields_in_the_form_and_refuses(cast: Cast) -> None:
    client = cast.client("staff")
    form = client.get(reverse("admin:moderation_rule_add")).content.decode()
    assert "Capital letters in a row" in form
    given = {"name": "Loud", "kind": "extra_shouting", "applies": "both", "words": "", "active": "on"}
    wrong = client.post(reverse("admin:moderation_rule_add"), {**given, "extra_shouting-letters": "1"})
    assert "greater than or equal to 3" in wrong.content.decode()
    client.post(reverse("admin:moderation_rule_add"), {**given, "extra_shouting-letters": "5"})
    rule = Rule.objects.get()
    assert rule.options == {"letters": 5}
    with pytest.raises(RefusedByRule):
        check_text("message", "I am SHOUTING")
    check_text("message", "I am LOUD")
    assert blocking.reply_rules() == [{"rule_id": str(rule.pk), "pattern": "(?-i:[A-Z]{5})"}]
    assert "5 letters" in client.get(reverse("admin:moderation_rule_changelist")).content.decode()


def test_a_policy_is_offered_stores_its_options_and_asks(cast: Cast) -> None:
    conversation, alice = talk(cast.alice, "Hi", "Hello"), cast.client("alice")
    page = alice.get(conversation.get_absolute_url()).content.decode()
    assert "people who solve a riddle" in page
    assert 'name="options-riddle"' in page
    address = f"/api/conversations/{conversation.pk}/share/"
    options = {"riddle": "What has keys and no doors?", "answer": "a piano"}
    given = json.dumps({"policy": "extra_riddle", "options": options})
    made = alice.post(address, given, content_type="application/json").json()["share"]
    assert made["policy_label"] == "people who solve a riddle"
    share = Share.objects.get()
    assert share.options == options
    reader = cast.client("anonymous")
    assert "Solve the riddle" in reader.get(share.get_absolute_url()).content.decode()
    opened = reverse("answer_shared", args=[share.token])
    assert "No." in reader.post(opened, {"answer": "a cow"}).content.decode()
    assert "Hello" in reader.post(opened, {"answer": "a piano"}, follow=True).content.decode()
    listed = cast.client("staff").get(reverse("admin:sharing_share_changelist")).content.decode()
    assert "people who solve a riddle" in listed


def test_a_format_is_offered_reads_and_writes(cast: Cast) -> None:
    alice = cast.client("alice")
    settings = alice.get("/settings/").content.decode()
    assert "Diary" in settings
    assert ".diary" in settings
    assert "A diary" in alice.get("/").content.decode()
    content = json.dumps({"title": "Monday", "entries": ["Rain?", "Yes."]}).encode()
    result = report(bring(alice, content, "monday.diary"))
    assert [each["source"] for each in result["imported"]] == ["Diary"]
    made = Conversation.objects.get(title="Monday")
    sent = alice.get(f"/api/conversations/{made.pk}/export/?format=extra_diary")
    assert sent.content == b"Dear diary: Rain?, Yes."


def test_a_search_back_end_is_used_where_the_setting_names_it(cast: Cast, settings: Any) -> None:
    talk(cast.alice, "Where is the piano?", "Here.")
    client = cast.client("alice")
    assert len(client.get("/api/search/?q=piano").json()["results"]) == 1
    settings.SEARCH_BACKEND = "extra_nothing"
    assert backend_for(None).label == "finds nothing"
    assert client.get("/api/search/?q=piano").json()["results"] == []


def test_a_tool_is_offered_once_the_operator_has_enabled_it(cast: Cast, settings: Any) -> None:
    assert offered_to(cast.alice) == ()
    settings.TOOLS = ["extra_dice", "absent"]
    assert offered_to(cast.alice) == ("extra_dice",)
    assert described(["extra_dice", "absent"]) == (
        {
            "name": "extra_dice",
            "description": "Throws dice.",
            "parameters": {"type": "object", "properties": {}},
        },
    )
