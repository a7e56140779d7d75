"""Only named third-party files are served, and modules find each other by name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import Client

from grokweb import vendor
from grokweb.templatetags import static_modules

LOCK = json.loads((Path(settings.BASE_DIR) / "package-lock.json").read_text())
PACKAGE = json.loads((Path(settings.BASE_DIR) / "package.json").read_text())


@pytest.mark.parametrize("name", sorted(vendor.FILES))
def test_named_files_are_found(name: str) -> None:
    found = finders.find(f"vendor/{name}")
    assert found is not None
    assert Path(found).is_relative_to(vendor.NODE_MODULES)


@pytest.mark.parametrize(
    "path",
    [
        "vendor/",
        "vendor/marked",
        "vendor/marked/lib/marked.esm.js",
        "vendor/../package.json",
        "vendor/highlight/../marked.js",
        "vendor//marked.js",
        "vendor/.stamp",
        "marked.js",
        "vendor/katex/package.json",
    ],
)
def test_other_files_are_not_found(path: str) -> None:
    assert finders.find(path) is None
    assert list(finders.find(path, find_all=True)) == []


def test_exactly_the_named_files_are_collected() -> None:
    assert sorted(name for name, _ in vendor.VendorFinder().list([])) == sorted(vendor.FILES)


def test_missing_packages_give_a_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vendor, "NODE_MODULES", tmp_path)
    assert vendor.VendorFinder().find("vendor/marked.js") == []
    with pytest.raises(ImproperlyConfigured, match="make run"):
        vendor.VendorStorage().path("marked.js")


def test_modules_are_modules() -> None:
    """A CommonJS file would load and export nothing."""
    for name in vendor.FILES:
        if vendor.MODULE.fullmatch(f"vendor/{name}"):
            text = Path(str(finders.find(f"vendor/{name}"))).read_text()
            assert re.search(r"\bexport\s*(\{|default)|\bexport\{", text), name


def test_the_import_map_names_every_module() -> None:
    known = vendor.import_map()
    for path in (Path(settings.BASE_DIR) / "static" / "js").rglob("*.js"):
        name = path.relative_to(Path(settings.BASE_DIR) / "static" / "js").as_posix()
        assert f"grokweb/{name}" in known
    assert {f"vendor/{name}" for name in vendor.FILES if name.endswith(".js")} - set(known) == {
        "vendor/mermaid.js"  # no module: only its frame loads it
    }


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> vendor.HashedStorage:
    """Provides a storage where nothing was collected."""
    fresh = vendor.HashedStorage()
    monkeypatch.setattr(vendor, "staticfiles_storage", fresh)
    return fresh


def test_the_import_map_points_to_hashed_files(storage: vendor.HashedStorage) -> None:
    storage.hashed_files = {"js/a.js": "js/a.0123.js", "css/a.css": "css/a.45.css"}
    assert vendor.import_map() == {
        "grokweb/a.js": "/static/js/a.0123.js",
        "/static/js/a.js": "/static/js/a.0123.js",  # what `import "./a.js"` asks for
    }


def test_without_a_manifest_plain_addresses_are_used(storage: vendor.HashedStorage) -> None:
    assert vendor.import_map()["vendor/marked.js"] == "/static/vendor/marked.js"


def test_the_tag_cannot_end_its_script_element(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "import_map", lambda: {"</script>": "x"})
    static_modules._rendered.cache_clear()
    text = Template("{% load static_modules %}{% import_map %}").render(Context())
    static_modules._rendered.cache_clear()
    assert "</script>" not in text
    assert json.loads(text) == {"imports": {"</script>": "x"}}


def test_versions_are_exact_and_no_address_is_locked() -> None:
    for version in {**PACKAGE["dependencies"], **PACKAGE["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    for name, package in LOCK["packages"].items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-")


@pytest.mark.django_db
def test_other_files_of_the_packages_are_not_served(client: Client) -> None:
    assert client.get("/static/vendor/marked/package.json").status_code == 404
    served = client.get("/static/vendor/marked.js")
    assert b"export" in served.getvalue()
    served.close()


def test_the_page_asks_for_exactly_the_languages_that_are_served() -> None:
    text = (Path(settings.BASE_DIR) / "static" / "js" / "view" / "highlighter.js").read_text()
    assert tuple(re.findall(r'"vendor/highlight/(\w+)\.js"', text)) == vendor.LANGUAGES
