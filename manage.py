#!/usr/bin/env python
"""GrokWeb's command line: `manage.py up` runs the whole service."""

import os
import sys

from inference.base.exit_status import on_invalid_setting


@on_invalid_setting()
def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")
    if sys.argv[1:2] == ["up"]:  # needs no Django application: the page answers a second sooner
        from grokweb.startup import main as up

        sys.exit(up(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
