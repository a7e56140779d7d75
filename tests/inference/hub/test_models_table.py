"""The table of models in docs/models.md: computed, and each model fits the machine it is listed for."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.hub import recommended
from inference.hub.names import parse_name
from inference.hub.recommended import MACHINES, Network

DOCS = Path(__file__).resolve().parents[3] / "docs" / "models.md"
LISTED = [(machine, size, network) for machine, size, _, networks in MACHINES for network in networks]


def test_the_table_in_the_documentation_is_the_computed_one() -> None:
    assert recommended.table() in DOCS.read_text(), "python -m inference.hub.recommended prints it"


@pytest.mark.parametrize(("machine", "size", "network"), LISTED)
def test_each_model_fits_its_machine(machine: str, size: float, network: Network) -> None:
    others = 2e9 if "no GPU" in machine else 0.0  # the system and the other processes of the service
    assert network.memory + others < size


@pytest.mark.parametrize(
    ("network", "billions"),
    [
        (recommended.GRANITE_1B, 1.3),
        (recommended.GRANITE_3B, 3.3),
        (recommended.OLMOE, 6.9),
        (recommended.QWEN_MOE, 14.3),
        (recommended.QWEN_4B, 4.0),
        (recommended.QWEN_8B, 8.2),
        (recommended.QWEN_30B, 30.5),
    ],
)
def test_the_sizes_add_up_to_what_the_makers_say(network: Network, billions: float) -> None:
    assert round(network.parameters / 1e9, 1) == billions
    assert parse_name(network.repository).repo == network.repository
