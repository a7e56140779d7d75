"""Exit statuses (sysexits.h), on which the supervisor and service managers decide."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from inference.base.env import InvalidSetting

MODEL_UNUSABLE = 78  # a restart changes nothing: the folder, its memory or a setting must change first
SETTING_INVALID = 78  # for the same reason
ENGINE_FAILED = 70  # the engine hangs or failed repeatedly: a new process can continue


@contextmanager
def on_invalid_setting() -> Iterator[None]:
    """Ends the process with SETTING_INVALID and one line if a setting in the block is unusable."""
    try:
        yield
    except InvalidSetting as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(SETTING_INVALID)
