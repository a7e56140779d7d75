"""Makes a private key for notifications that an answer is ready: `manage.py push_key [--file PATH]`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.push import keys
from grokweb.private_file import write_private


class Command(BaseCommand):
    help = (
        "Makes a key for GROKWEB_PUSH_KEY, and prints it or writes it into a file for GROKWEB_PUSH_KEY_FILE."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, help="a new file, which only you can read")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path | None = options["file"]
        if path is None:
            self.stdout.write(keys.generate())
            return
        if path.exists():
            raise CommandError(f"{path} exists: browsers that were told its key would have to ask again")
        try:
            write_private(path, f"{keys.generate()}\n")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from None
        self.stdout.write(
            f"{path} has a new key: set GROKWEB_PUSH_KEY_FILE to it and start the service again"
        )
