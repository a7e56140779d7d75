"""The `hello` frame: the first of a connection."""

from __future__ import annotations

from chat.accounts.models import User
from chat.core import storage
from chat.model_cards.selection import default_model
from chat.turns import event_numbers, redis_client, served_models
from chat.turns.frames import Hello, Model


def hello(user: User) -> Hello:
    """Raises Unavailable if there is no model at all."""
    card = default_model(user)
    try:
        workers = served_models.workers(card.slug)
        problem = served_models.shown_problem(card.slug, workers)
    except redis_client.UNAVAILABLE:
        workers, problem = [], ""
    return Hello(
        user={"id": str(user.pk), "name": user.get_short_name()},
        model=Model(
            slug=card.slug,
            name=card.shown_name,
            is_demo=card.is_demo,
            running=bool(workers),
            problem=problem,
        ),
        event_number=event_numbers.latest_of(user.pk),
        writable=storage.accepts(),
    )
