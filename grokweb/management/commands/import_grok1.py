"""`manage.py import_grok1` converts xAI's release to a model directory (inference/xai_import/)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.xai_import.constants import UnusableConstants, read_constants
from inference.xai_import.importer import Import, run
from inference.xai_import.layout import DTYPES
from inference.xai_import.outfolder import CannotImport
from inference.xai_import.progress import Progress
from inference.xai_import.unpickle import NotTheRelease


class Command(BaseCommand):
    help = (
        "Convert xAI's release of Grok-1 (ckpt-0) to a model directory. "
        "To continue after a stop, repeat the command."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="CKPT_DIR", type=Path, help="the directory of the 770 files")
        parser.add_argument(
            "target", metavar="OUT_DIR", type=Path, help="a directory that is empty or does not exist"
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
            raise CommandError(f"{error}; complete files stay: repeat the command to continue") from None
        except KeyboardInterrupt:
            raise CommandError("stopped; repeat the command to continue", returncode=130) from None
        ready = (
            f"ready: GROKWEB_MODEL={target}" if job.tokenizer else "complete; add tokenizer.model to serve it"
        )
        self.stdout.write(f"{target} is {ready}")
