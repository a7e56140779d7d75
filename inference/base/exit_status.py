"""Exit statuses of a model worker (sysexits.h), on which the supervisor and service managers decide."""

from __future__ import annotations

MODEL_UNUSABLE = 78  # a restart changes nothing: the folder, its memory or a setting must change first
ENGINE_FAILED = 70  # the engine hangs or failed repeatedly: a new process can continue
