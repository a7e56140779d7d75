"""Reads names of models on a hub, `hf:owner/name[@revision]`, and says which folder holds each."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from inference import settings
from inference.base.lines import english
from inference.model_dir.headers import ModelUnusable, json_object

MODELS = settings.DATA_DIR / "models"  # the folders of fetched models
SCHEME = "hf:"
EXAMPLE = "hf:ibm-granite/granite-3.1-1b-a400m-instruct"
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,99}")
TWICE = re.compile(r"--|\.\.|//")  # the hub allows none of these
ENDS = (".", "-", "/", ".git", ".lock")
LONGEST_SLUG = 64
RECORD = "hub.json"  # a folder that was fetched completely has it: where it is from, its licence and revision


@dataclass(frozen=True, slots=True)
class HubName:
    """One model of a hub. `revision` "": the main one, at the commit that it had at the first fetch."""

    owner: str
    name: str
    revision: str = ""

    @property
    def repo(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def slug(self) -> str:
        """Returns a-z, 0-9 and single dashes, as the queue's name and the model card need it."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:LONGEST_SLUG].strip("-") or "model"

    @property
    def folder(self) -> str:
        """Returns the name of its folder; another revision is another folder."""
        revision = f"@{urllib.parse.quote(self.revision, safe='')}" if self.revision else ""
        return f"{self.owner}--{self.name}{revision}"

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}{'@' if self.revision else ''}{self.revision}"


def parse_name(configured: str) -> HubName:
    """Reads `owner/name[@revision]`, with or without `hf:`; raises ModelUnusable with an example."""
    repo, mark, revision = configured.removeprefix(SCHEME).strip().partition("@")
    owner, slash, name = repo.partition("/")
    if not slash or not all(_is_sound(part, PART) for part in (owner, name)):
        raise ModelUnusable(
            english(
                "%(name)s is not the name of a model on a hub: write owner/name, as in %(example)s",
                name=_shown(configured),
                example=EXAMPLE,
            )
        )
    if mark and not _is_sound(revision, REVISION):
        raise ModelUnusable(
            english(
                "%(name)s: after the @ comes a branch, a tag or a commit, as in %(example)s",
                name=_shown(configured),
                example=f"{EXAMPLE}@main",
            )
        )
    return HubName(owner, name, revision)


def fetched_folder(name: HubName, root: Path = MODELS) -> Path | None:
    """Returns the folder of a model that was fetched completely, without asking any hub; else None."""
    folder = root / name.folder
    return folder if (folder / RECORD).is_file() else None


def record_of(folder: Path) -> dict[str, object]:
    """Returns what hub.json says of a fetched folder; {} for any other folder."""
    try:
        return json_object(folder / RECORD)
    except ModelUnusable:
        return {}


def licence_of(folder: Path) -> dict[str, str]:
    """Returns name and link of the licence of a fetched folder; {} for any other folder."""
    record = record_of(folder)
    if not record:
        return {}
    stated = record.get("licence")
    licence = stated if isinstance(stated, dict) else {}
    identifier, title = str(licence.get("id", "")), str(licence.get("name", ""))
    link, page = str(licence.get("link", "")), f"{record.get('endpoint')}/{record.get('repository')}"
    if not re.match(r"https?://", link):  # the name of a file in the repository
        link = f"{page}/blob/{record.get('commit')}/{urllib.parse.quote(link)}" if link else page
    name = title if identifier in ("", "other") and title else identifier
    return {"name": name or "not stated", "link": link}


def _is_sound(part: str, pattern: re.Pattern[str]) -> bool:
    return pattern.fullmatch(part) is not None and not TWICE.search(part) and not part.endswith(ENDS)


def _shown(configured: str) -> str:
    """Returns a wrong name as a line of a terminal may show it."""
    return ascii(configured[:120])[1:-1]
