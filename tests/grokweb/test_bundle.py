"""Pages ask for few files; where these could not be made, they run on the source modules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.template import Context, Template

from grokweb import bundle

ROOT = Path(settings.BASE_DIR)


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """Provides a directory as collectstatic leaves it, with a small page."""
    for name in ("js/pages", "vendor"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "vendor" / "sums.js").write_text("export const sum = (a, b) => a + b;")
    (tmp_path / "js" / "late.js").write_text("export const said = 'only when asked';")
    (tmp_path / "js" / "pages" / "chat.js").write_text(
        'import { sum } from "vendor/sums.js"; console.log(sum(1, 2), () => import("grokweb/late.js"));'
    )
    for name in set(bundle.ENTRIES) - {"chat.js"}:
        (tmp_path / "js" / "pages" / name).write_text(
            f'import {{ sum }} from "vendor/sums.js"; console.log("{name}", sum(3, 4));'
        )
    return tmp_path


def test_static_imports_are_bundled_and_dynamic_ones_are_separate(collected: Path) -> None:
    files = bundle.build(collected)
    assert all(re.fullmatch(r"bundle/\w+\.[0-9A-Z]{8}\.js", name) for name in files)
    pages = json.loads((collected / bundle.LIST).read_text())["pages"]
    first = "".join((collected / "bundle" / name).read_text() for name in pages["chat.js"])
    assert "only when asked" not in first
    assert "only when asked" in "".join((collected / name).read_text() for name in files)
    assert "vendor/sums.js" not in first  # no import map is needed


def test_names_change_with_the_content(collected: Path) -> None:
    before = bundle.build(collected)
    assert bundle.build(collected) == before
    (collected / "js" / "late.js").write_text("export const said = 'something else';")
    assert bundle.build(collected) != before


def test_an_unreadable_module_leaves_no_bundle(collected: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.build(collected)
    (collected / "js" / "pages" / "chat.js").write_text("import { from nowhere")
    assert bundle.build(collected) == []
    assert not (collected / bundle.LIST).exists()
    assert "one by one" in capsys.readouterr().out


def test_without_esbuild_one_line_says_so(
    collected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "bundle.mjs"
    elsewhere.write_text(bundle.SCRIPT.read_text())  # no node_modules beside it
    monkeypatch.setattr(bundle, "SCRIPT", elsewhere)
    assert bundle.build(collected) == []
    assert "esbuild" in capsys.readouterr().out


def test_every_module_that_a_template_begins_with_is_bundled() -> None:
    asked = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for tag in re.findall(r"\{% modules (.+?) %\}", path.read_text())
        for name in re.findall(r'"([^"]+)"', tag)
    }
    assert asked == set(bundle.ENTRIES)


def render(names: str) -> str:
    text = Template("{% load static_modules %}{% modules " + names + " %}")
    return text.render(Context({"CSP_NONCE": "drawn"}))


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {
        "chat.js": ["chat.ABCDEFGH.js", "chunk.01234567.js"],
        "transfer.js": ["transfer.HGFEDCBA.js", "chunk.01234567.js"],
    }
    monkeypatch.setattr(bundle, "_pages", lambda: pages)


@pytest.mark.usefixtures("_known")
def test_a_page_names_its_files_before_they_import_each_other() -> None:
    assert render('"chat.js"') == (
        '<link rel="modulepreload" href="/static/bundle/chunk.01234567.js">'
        '<script type="module" nonce="drawn" src="/static/bundle/chat.ABCDEFGH.js"></script>'
    )


@pytest.mark.usefixtures("_known")
def test_a_file_shared_by_two_modules_is_named_once() -> None:
    text = render('"chat.js" "transfer.js"')
    assert text.count("chunk.01234567.js") == 1
    assert text.count('type="module"') == 2


@pytest.fixture
def _not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_pages", dict)


@pytest.fixture
def _debug(_known: None, settings: Any) -> None:
    settings.DEBUG = True


@pytest.mark.parametrize("why", ["_not_made", "_debug"])
def test_without_a_bundle_the_source_modules_are_loaded(why: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(why)
    text = render('"chat.js"')
    assert '<script type="importmap" nonce="drawn">{"imports":{' in text
    assert re.search(r'<script type="module" nonce="drawn" src="/static/js/pages/chat[^"]*\.js">', text)
