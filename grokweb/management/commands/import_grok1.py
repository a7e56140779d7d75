"""`manage.py import_grok1`: xAI's release becomes a model folder. The work is in inference/release/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.release.constants import UnusableConstants, read_constants
from inference.release.importer import Import, run
from inference.release.layout import DTYPES
from inference.release.outfolder import CannotImport
from inference.release.progress import Progress
from inference.release.unpickle import NotTheRelease


class Command(BaseCommand):
    help = "Turn xAI's release of Grok-1 (ckpt-0) into a model folder; the same command goes on after a stop."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="CKPT_DIR", type=Path, help="the folder of the 770 files")
        parser.add_argument(
            "target", metavar="OUT_DIR", type=Path, help="a folder that is empty or does not exist"
        )
        parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="the release's tokenizer.model")
        parser.add_argument(
            "--config", type=Path, metavar="FILE", help="sizes other than the release's, as JSON"
        )
        parser.add_argument(
            "--dtype", choices=DTYPES, default="int8", help="default: int8, exactly xAI's weights"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["target"]
        try:
            constants = read_constants(options["config"]) if options["config"] else {}
            job = Import(options["source"], target, options["dtype"], constants, options["tokenizer"])
            run(job, Progress(sys.stderr))
        except UnusableConstants as refused:
            raise CommandError(f"{options['config']}: {refused}") from None
        except (NotTheRelease, CannotImport) as refused:
            raise CommandError(str(refused)) from None
        except OSError as error:
            raise CommandError(f"{error}; what is whole stays, the same command goes on") from None
        except KeyboardInterrupt:
            raise CommandError("stopped; the same command goes on", returncode=130) from None
        ready = (
            f"ready: GROKWEB_MODEL={target}" if job.tokenizer else "whole; to serve it, add tokenizer.model"
        )
        self.stdout.write(f"{target} is {ready}")
