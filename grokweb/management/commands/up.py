"""`manage.py up`: the whole service. The work is in grokweb/startup.py and grokweb/supervisor.py."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from grokweb import startup


class Command(BaseCommand):
    help = "Run the whole service until Ctrl-C: Redis, web, workers, model."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--without", action="append", default=[], choices=startup.CHILDREN)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(startup.up(options["without"]))
