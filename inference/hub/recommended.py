"""Recommends models by name, and computes what each needs from the sizes of its network.

python -m inference.hub.recommended      prints the table in docs/models.md
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from inference.model_dir.admission import needed_bytes
from inference.model_dir.describe import ModelFiles

SLOTS, CONTEXT = 4, 8192  # conversations at once, and tokens of each, that the memory is computed for
HEAD = (
    "| machine | model | licence | download | memory | context | tokens/s, computed |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)


@dataclass(frozen=True, slots=True)
class Network:
    """The sizes of a network, as its config.json has them. Dense ones have one expert."""

    repository: str
    licence: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    vocabulary: int
    context: int
    experts: int = 1
    active_experts: int = 1
    shared_inner: int = 0
    is_tied: bool = False  # one matrix is embedding and output
    bytes_each: int = 2

    def numbers(self, experts: int) -> int:
        """Returns the numbers of a network with so many experts in a layer, without the embedding."""
        attention = self.width * self.head * 2 * (self.heads + self.kv_heads)
        inner = experts * self.inner + self.shared_inner
        return self.layers * (attention + 3 * self.width * inner) + self.vocabulary * self.width

    @property
    def parameters(self) -> int:
        return self.numbers(self.experts) + (0 if self.is_tied else self.vocabulary * self.width)

    @property
    def download(self) -> int:
        return self.parameters * self.bytes_each

    @property
    def cached_numbers(self) -> int:
        return 2 * self.layers * self.kv_heads * self.head

    @property
    def memory(self) -> int:
        """Returns the bytes that the service asks for before it loads the model."""
        if self.bytes_each == 1:
            return self.download + 2 * SLOTS * self.served_context * self.cached_numbers
        return needed_bytes(self.files(), SLOTS, "bfloat16")

    @property
    def served_context(self) -> int:
        return min(CONTEXT, self.context)

    def files(self) -> ModelFiles:
        return ModelFiles(
            slug="model",
            name=self.repository,
            context=self.served_context,
            is_demo=False,
            about="",
            titles=True,
            weight_bytes=self.download,
            model_type="",
            path=Path("."),
            parameters=self.parameters,
            shards=(),
            tokenizer="tokenizer.json",
            chat_template="",
            stored={"BF16": self.download},
            cached_numbers=self.cached_numbers,
            sampling={},
        )

    def tokens_per_second(self, bandwidth: float) -> float:
        """Returns how often the weights of one token can be read in a second; `bandwidth` in bytes."""
        return bandwidth / (self.numbers(self.active_experts) * self.bytes_each)


APACHE = "Apache-2.0"
GRANITE_1B = Network(
    "ibm-granite/granite-3.1-1b-a400m-instruct",
    *(APACHE, 1024, 24, 16, 8, 64, 512, 49155, 131072),
    experts=32,
    active_experts=8,
    is_tied=True,
)
GRANITE_3B = Network(
    "ibm-granite/granite-3.1-3b-a800m-instruct",
    *(APACHE, 1536, 32, 24, 8, 64, 512, 49155, 131072),
    experts=40,
    active_experts=8,
    is_tied=True,
)
OLMOE = Network(
    "allenai/OLMoE-1B-7B-0924-Instruct",
    *(APACHE, 2048, 16, 16, 16, 128, 1024, 50304, 4096),
    experts=64,
    active_experts=8,
)
QWEN_MOE = Network(
    "Qwen/Qwen1.5-MoE-A2.7B-Chat",
    *("Tongyi Qianwen", 2048, 24, 16, 16, 128, 1408, 151936, 8192),
    experts=60,
    active_experts=4,
    shared_inner=5632,
)
QWEN_4B = Network(
    "Qwen/Qwen3-4B-Instruct-2507",
    *(APACHE, 2560, 36, 32, 8, 128, 9728, 151936, 262144),
    is_tied=True,
)
QWEN_8B = Network("Qwen/Qwen3-8B", *(APACHE, 4096, 36, 32, 8, 128, 12288, 151936, 40960))
QWEN_30B = Network(
    "Qwen/Qwen3-30B-A3B-Instruct-2507",
    *(APACHE, 2048, 48, 32, 4, 128, 768, 151936, 262144),
    experts=128,
    active_experts=8,
)
GROK_1 = Network(
    "Grok-1 in int8",
    *(APACHE, 6144, 64, 48, 8, 128, 32768, 131072, 8192),
    experts=8,
    active_experts=2,
    is_tied=True,
    bytes_each=1,
)
# A machine, what it has in bytes, how many bytes a second it reads, and the networks that fit.
MACHINES: tuple[tuple[str, float, float, tuple[Network, ...]], ...] = (
    ("8 GB, no GPU (30 GB/s)", 8e9, 30e9, (GRANITE_1B,)),
    ("16 GB, no GPU (40 GB/s)", 16e9, 40e9, (GRANITE_1B, GRANITE_3B)),
    ("32 GB, no GPU (60 GB/s)", 32e9, 60e9, (GRANITE_3B, OLMOE, QWEN_4B)),
    ("64 GB, no GPU (60 GB/s)", 64e9, 60e9, (OLMOE, QWEN_MOE)),
    ("GPU of 8 GB (270 GB/s)", 8e9, 270e9, (GRANITE_1B,)),
    ("GPU of 16 GB (290 GB/s)", 16e9, 290e9, (GRANITE_3B, QWEN_4B)),
    ("GPU of 24 GB (1,000 GB/s)", 24e9, 1000e9, (OLMOE, QWEN_8B)),
    ("GPU of 80 GB (2,000 GB/s)", 80e9, 2000e9, (QWEN_30B,)),
    ("8 GPUs of 80 GB (16,000 GB/s)", 640e9, 16000e9, (GROK_1,)),
)


def by_name() -> list[Network]:
    """Returns the networks that a hub offers, the smallest download first."""
    found = {each.repository: each for *_, networks in MACHINES for each in networks}
    return sorted((each for each in found.values() if "/" in each.repository), key=lambda each: each.download)


def table() -> str:
    """Returns the table in Markdown."""
    return HEAD + "".join(
        _line(machine, network, bandwidth)
        for machine, _, bandwidth, networks in MACHINES
        for network in networks
    )


def _line(machine: str, network: Network, bandwidth: float) -> str:
    name = f"`hf:{network.repository}`" if "/" in network.repository else network.repository
    cells = [
        machine,
        name,
        network.licence,
        f"{network.download / 1e9:.1f} GB",
        f"{network.memory / 1e9:.1f} GB",
        f"{network.context:,}",
        f"{network.tokens_per_second(bandwidth):,.0f}",
    ]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(table())
