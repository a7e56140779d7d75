"""Provides the scene to the tests of the admin."""

from __future__ import annotations

import pytest

from chat.model_cards.models import ModelCard
from tests.chat.cast import Cast
from tests.chat.staff.scene import Scene


@pytest.fixture
def scene(cast: Cast, model_card: ModelCard) -> Scene:
    return Scene(cast, model_card)
