"""Shows on the terminal of `up` how far the model worker is with fetching its model by name."""

from __future__ import annotations

from collections.abc import Mapping

from grokweb.terminal import is_terminal, say, show_status
from inference.hub.progress import Progress
from inference.hub.words import Lines, describe_progress, licence_line


class FetchStatus:
    """Rewrites one line on a terminal; elsewhere it says each tenth in a line of its own."""

    def __init__(self) -> None:
        self._lines = Lines(say)
        self._licence = ""

    def show(self, said: Mapping[str, str]) -> None:
        """Shows what the worker announced; {}: nothing is fetched."""
        progress = Progress.from_fields(said) if said else None
        if progress is None or not progress.is_active:
            show_status("")
            return
        if not is_terminal():
            self._lines(progress)
            return
        if progress.licence != self._licence:
            self._licence = progress.licence
            say(licence_line(progress))
        show_status(describe_progress(progress))
