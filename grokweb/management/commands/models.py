"""`manage.py models list|add|remove|default|check`: the models that `manage.py up` serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from grokweb import model_check, model_files
from grokweb.model_adding import add_model, remove_key
from inference.base import exit_status
from inference.base.model_list import editing, state
from inference.base.model_list.entries import CHECKS, DEMO, Entry, ModelList, read

NUMBERS = ("slots", "threads", "context")
STEPS = {
    state.Step.STARTED: "its worker runs",
    state.Step.RESTARTING: "its worker died and starts again",
    state.Step.REFUSED: "cannot be served",
    state.Step.STOPPING: "its worker hands over and ends",
}


class Command(BaseCommand):
    help = "List, add, remove or check the models that `manage.py up` serves, without a restart."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="show every model and what `up` does with it")
        actions.add_parser("check", help="print one line for each problem; exit status 78 if there is one")
        add = actions.add_parser("add", help="add a model; a running `up` starts its worker")
        add.add_argument("source", help=f"a folder, URL#model, <engine>:<model>, or {DEMO}")
        add.add_argument("--slug", help="name of its queue and its page; by default the model's own")
        for name in CHECKS:
            if name != "source":
                add.add_argument(f"--{name}", type=int if name in NUMBERS else str)
        add.add_argument("--default", action="store_true", help="new chats get this model")
        parsers: dict[str, CommandParser] = {}
        for action, words in (
            ("remove", "remove a model; its replies are handed over first"),
            ("default", "give new chats this model"),
        ):
            parsers[action] = actions.add_parser(action, help=words)
            parsers[action].add_argument("slug")
        parsers["remove"].add_argument(
            "--delete-files",
            action="store_true",
            help="also delete the files of a model that was fetched by name",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        data: Path = settings.DATA_DIR
        try:
            getattr(self, f"_{options['action']}")(data, options)
        except ValueError as error:  # Unreadable and CannotEdit are
            raise CommandError(str(error), returncode=exit_status.SETTING_INVALID) from None
        except OSError as error:
            raise CommandError(f"models.toml: {error.strerror or error}") from None

    def _list(self, data: Path, options: dict[str, Any]) -> None:
        models, service = read(data), state.published(settings.RUN_DIR)
        default = _default(models, service)
        if model_check.is_configured() or not models.entries:
            slug = str(settings.MODEL_SLUG)
            self._line(Entry(slug, settings.MODEL), default, service)
        for entry in models.entries.values():
            self._line(entry, default, service)
        for line in models.problems:
            self.stdout.write(line)

    def _line(self, entry: Entry, default: str, service: state.ServiceState | None) -> None:
        worker = service.models.get(entry.slug) if service else None
        doing = STEPS[worker.step] if worker else "not running: `manage.py up` does not serve it"
        if worker and worker.problem:
            doing = f"{doing}: {worker.problem}"
        mark = " (default)" if entry.slug == default else ""
        self.stdout.write(f"{entry.slug}{mark}  {entry.source}  {doing}")

    def _check(self, data: Path, options: dict[str, Any]) -> None:
        models = read(data)
        problems = list(model_check.problems_of(models, os.environ))
        for line in problems:
            self.stderr.write(line)
        if problems:
            sys.exit(exit_status.SETTING_INVALID)
        self.stdout.write(f"models.toml: no problem; it names {len(models.entries)} models")

    def _add(self, data: Path, options: dict[str, Any]) -> None:
        values = {name: options[name] for name in CHECKS if name != "source" and options[name] is not None}
        added = add_model(
            options["source"], slug=options["slug"] or "", values=values, is_default=options["default"]
        )
        self.stdout.write(
            f"models.toml: [{added.slug}] is added; a running `manage.py up` starts its worker now"
        )
        if added.is_silent:
            self.stdout.write("Its server does not answer yet: questions wait until it does.")
        if added.demo:
            self.stdout.write(
                "New chats get it. The demo model stays for its chats: "
                f"`manage.py models remove {added.demo}` ends that."
            )

    def _remove(self, data: Path, options: dict[str, Any]) -> None:
        before = read(data)
        editing.remove(data, options["slug"])
        remove_key(before.entries.get(options["slug"]))
        self.stdout.write(
            f"models.toml: [{options['slug']}] is removed; a running `manage.py up` ends its worker now. "
            "Its chats stay; staff can retire it and name a successor."
        )
        entry = before.entries.get(options["slug"])
        if entry is None and options["delete_files"]:
            self.stdout.write("Its table could not be read, so no files were deleted.")
        if entry is not None and entry.source.startswith("hf:"):
            self._files_of(entry, data, delete=options["delete_files"])

    def _files_of(self, entry: Entry, data: Path, *, delete: bool) -> None:
        """Says how large the fetched files of a removed table are, and deletes them if nothing else uses
        them."""
        from inference.hub.fetching import fetched_bytes, remove_fetched  # loads an HTTP client
        from inference.hub.words import size

        held = size(fetched_bytes(entry.source))
        if not fetched_bytes(entry.source):
            return
        if not delete:
            self.stdout.write(f"{entry.source}: its files stay ({held}); --delete-files would delete them.")
        elif user := model_files.used_by(entry.source, read(data)):
            self.stdout.write(f"{entry.source}: its files stay ({held}): {user} uses them.")
        else:
            remove_fetched(entry.source)
            self.stdout.write(f"{entry.source}: its files are deleted ({held}).")

    def _default(self, data: Path, options: dict[str, Any]) -> None:
        editing.set_default(data, options["slug"])
        self.stdout.write(f"models.toml: new chats get {options['slug']}, unless staff chose another default")


def _default(models: ModelList, service: state.ServiceState | None) -> str:
    if service and service.default:
        return service.default
    if models.default or model_check.is_configured() or not models.entries:
        return models.default or str(settings.MODEL_SLUG)
    return next(iter(models.entries))
