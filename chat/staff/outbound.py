"""Shows staff how many requests to other machines there were, by what they were for and how they ended."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from chat.turns import redis_client
from inference.wire import outbound_counts

WHAT = "requests to other machines"  # what the outcomes are said of
PURPOSES = {
    "engine": _("Models on another server"),
    "hub": _("Downloads of models"),
    "push": _("Notifications that an answer is ready"),
}
OUTCOMES = {
    "complete": pgettext_lazy(WHAT, "answered"),
    "closed": pgettext_lazy(WHAT, "ended by us before the end"),
    "refused": pgettext_lazy(WHAT, "refused by the guard"),
    "limit": pgettext_lazy(WHAT, "over a limit"),
    "unreachable": pgettext_lazy(WHAT, "not reached"),
    "bad_answer": pgettext_lazy(WHAT, "with an unusable answer"),
}


def requests() -> list[tuple[str, list[tuple[str, int]]]]:
    """Returns for each purpose that occurred how often each outcome did. Raises redis_client.UNAVAILABLE.

    Names of another version, which the sums in Redis may have, are shown as they are.
    """
    sent: dict[str, list[tuple[str, int]]] = {}
    for (purpose, outcome), number in outbound_counts.read(redis_client.client()).items():
        line = sent.setdefault(str(PURPOSES.get(purpose, purpose)), [])
        line.append((str(OUTCOMES.get(outcome, outcome)), number))
    return list(sent.items())
