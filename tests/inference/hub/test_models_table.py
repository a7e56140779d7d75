"""The table of models in docs/models.md: computed, and each model fits the machine it is listed for."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.hub.names import parse_name
from tests.inference.hub import models_table
from tests.inference.hub.models_table import MACHINES, Network

DOCS = Path(__file__).resolve().parents[3] / "docs" / "models.md"
LISTED = [(machine, size, network) for machine, size, _, networks in MACHINES for network in networks]


def test_the_table_in_the_documentation_is_the_computed_one() -> None:
    assert models_table.table() in DOCS.read_text(), "python -m tests.inference.hub.models_table prints it"


@pytest.mark.parametrize(("machine", "size", "network"), LISTED)
def test_each_model_fits_its_machine(machine: str, size: float, network: Network) -> None:
    others = 2e9 if "no GPU" in machine else 0.0  # the system and the other processes of the service
    assert network.memory + others < size


@pytest.mark.parametrize(
    ("network", "billions"),
    [
        (models_table.GRANITE_1B, 1.3),
        (models_table.GRANITE_3B, 3.3),
        (models_table.OLMOE, 6.9),
        (models_table.QWEN_MOE, 14.3),
        (models_table.QWEN_4B, 4.0),
        (models_table.QWEN_8B, 8.2),
        (models_table.QWEN_30B, 30.5),
    ],
)
def test_the_sizes_add_up_to_what_the_makers_say(network: Network, billions: float) -> None:
    assert round(network.parameters / 1e9, 1) == billions
    assert parse_name(network.repository).repo == network.repository
