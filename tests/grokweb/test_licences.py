"""Every package has a licence that is known, and NOTICE names those whose licence asks for it."""

from __future__ import annotations

import pytest

from grokweb import licences
from grokweb.licences import Package


def test_every_package_has_a_known_licence_and_notice_agrees() -> None:
    packages = [*licences.python_packages(), *licences.npm_packages()]
    assert {each.registry for each in packages} == {"pip", "npm"}
    assert licences.problems(packages, (licences.ROOT / "NOTICE").read_text()) == []


@pytest.mark.parametrize(
    ("licence", "known", "noticed"),
    [
        ("MIT", True, False),
        ("BSD-3-Clause AND MIT", True, False),
        ("(MPL-2.0 OR Apache-2.0)", True, False),
        ("MPL-2.0 AND MIT", True, True),
        ("AGPL-3.0-only", False, True),
        ("MIT AND AGPL-3.0-only", False, True),
        ("", False, True),
    ],
)
def test_an_expression_is_read(licence: str, known: bool, noticed: bool) -> None:
    package = Package("pip", "run", "one", "1", licence)
    assert (package.is_known(), package.is_noticed()) == (known, noticed)


def test_problems_name_each_package_missing_from_notice() -> None:
    packages = [
        Package("pip", "run", "strange", "1", "Proprietary"),
        Package("pip", "run", "two", "2", "MPL-2.0"),
    ]
    assert licences.problems(packages, "- gone (MIT)\n") == [
        "strange 1: no known licence (Proprietary)",
        "strange: NOTICE does not name it (Proprietary)",
        "two: NOTICE does not name it (MPL-2.0)",
        "gone: NOTICE names it, and it is not installed",
    ]
