"""Names the model that this host serves, on which the model of new chats depends."""

from __future__ import annotations

from django.utils.functional import SimpleLazyObject

from inference import settings as live
from inference.base import env

MODEL, TEST_ENGINES, SLOTS = live.MODEL, live.TEST_ENGINES, live.SLOTS


def _model_slug() -> str:
    """Returns the slug of GROKWEB_MODEL, or "" if this host does not have its folder or its engine."""
    from inference.engines import describe_model  # reads headers of weights; under `up` nobody asks

    try:
        return describe_model(MODEL).slug
    except ValueError:  # ModelUnusable and RegistryError are
        return ""


# Which model new chats get (chat/model_cards/selection.py), if no run/models.json says it. The supervisor
# sets both for its children.
MODEL_SLUG = live.MODEL_SLUG or SimpleLazyObject(_model_slug)
MODEL_WORKER_SINCE = env.number(
    "GROKWEB_MODEL_WORKER_SINCE",
    0,
    "Unix time at which `manage.py up` first started a model worker here; 0: none. Set by `manage.py up`.",
    low=0,
    high=1e12,
)
