"""Grok-1's step on a CPU in one native call; the interface and the results are those of grok1/step.py."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_float, c_int32
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.grok1.network import Network, NetworkOnDisk
from inference.grok1.rotary import rope_tables
from inference.model_dir.admission import HEAD_BLOCK
from inference.native.build import NotBuilt
from inference.native.library import Sizes, library
from inference.networks.batch import Bounds, runs_of
from inference.networks.int8 import Int8Matrix, Weight, quantise

FLOAT32, BFLOAT16, INT8 = range(3)  # `Kind` of step.cpp
EMBEDDING, QKV, OUT, GATE_UP, DOWN, HEAD = range(6)
ROUTER, NORMS, LAST_NORM, COSINE, SINE = 0, 1, 5, 6, 7
ROWS_AT_ONCE = 512
VECTOR = 16  # sizes must be multiples of the widest vector


class NativeStep:
    """A packed copy of a network's weights and a cache of `rows` conversations of up to `context` tokens.

    Arithmetic is float32 whatever the weights are stored as, but where they are int8: those are multiplied by
    rows of int16, one scale for each 64 inputs, which loses next to nothing; with `dot8` by rows of int8,
    which processors with VNNI do faster, and the logits are made with the embedding in int8 as well. Calls
    must come from one thread at a time.

    The logits of a token are the same bits whatever else is in the batch, however its prompt was cut into
    chunks, and on any number of threads.
    """

    def __init__(
        self,
        network: Network | NetworkOnDisk,
        rows: int,
        context: int,
        *,
        threads: int = 1,
        dot8: bool | None = None,
    ) -> None:
        """Raises NotBuilt if this machine or this network cannot be served so, MemoryError if it is too big.

        `dot8` None: where the processor has VNNI. True elsewhere is slow, and gives the same bits.
        """
        c = self._config = network.config
        ensure_native(vars(c), network.embedding.device.type)
        self._library = library()
        if rows < 1 or not 1 <= context <= c.max_position_embeddings:
            raise ValueError(
                f"needs rows >= 1 and context 1..{c.max_position_embeddings}; got {rows} and {context}"
            )
        self.rows, self.context, self.vocab_size = rows, context, c.vocab_size
        self.filled = [0] * rows  # tokens each row holds
        self.dot8 = bool(self._library.gw_has_vnni()) if dot8 is None else dot8
        sizes = Sizes(
            c.vocab_size, c.hidden_size, c.intermediate_size, c.num_hidden_layers, c.num_attention_heads,
            c.num_key_value_heads, c.head_dim, c.num_local_experts, c.num_experts_per_tok, rows, context,
            -1 if c.pad_token_id is None else c.pad_token_id, threads, self.dot8,
            c.embedding_multiplier, c.output_multiplier, c.attention_multiplier, c.attn_logit_softcap,
            c.rms_norm_eps,
        )  # fmt: skip
        self._model = self._library.gw_open(ctypes.byref(sizes))
        if not self._model:
            raise MemoryError("out of memory: no room for the cache of the native step")
        self.precision = "float32"
        self._pack(network)

    @property
    def cache_bytes(self) -> int:
        """Returns the bytes of keys and values: float32, in blocks of 16 positions."""
        c, places = self._config, -(-self.context // VECTOR) * VECTOR
        return 2 * 4 * c.num_hidden_layers * self.rows * places * c.num_key_value_heads * c.head_dim

    def renewed(self) -> NativeStep:
        """Returns a step with the same weights and an empty cache; the old entries are never read again."""
        self.filled = [0] * self.rows
        return self

    def __del__(self) -> None:
        if getattr(self, "_model", None):
            self._library.gw_close(self._model)
            self._model = None

    def reset_row(self, row: int) -> None:
        """Clears a row for another conversation."""
        if not 0 <= row < self.rows:
            raise ValueError(f"row {row} is not one of {self.rows}")
        self.filled[row] = 0

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> Tensor:
        """Feed n tokens; the float32 logits after those at places `out_at` of the batch: [len(out_at), V].

        See TorchStep.step. Nothing reaches the native code unchecked.
        """
        if len(hide_pad) != len(ids):
            raise ValueError(f"hide_pad needs the length of ids: {len(hide_pad)}, {len(ids)}")
        bounds = Bounds(self.rows, self.context, self.vocab_size)
        runs = runs_of(ids, row, pos, out_at, bounds, self.filled)
        given = [np.array(column, dtype=np.int32) for column in (ids, row, pos, hide_pad, out_at)]
        logits = np.empty((len(out_at), self.vocab_size), dtype=np.float32)
        *columns, outs = (column.ctypes.data_as(POINTER(c_int32)) for column in given)
        at = logits.ctypes.data_as(POINTER(c_float))
        if self._library.gw_step(self._model, len(ids), *columns, len(out_at), outs, at):
            raise MemoryError("out of memory in the native step")
        for run in runs:
            self.filled[run.row] = run.pos + run.length
        return torch.from_numpy(logits)

    # -- packing -------------------------------------------------------------------------

    def _pack(self, network: Network | NetworkOnDisk) -> None:
        self._matrix(EMBEDDING, 0, 0, network.embedding)
        if self.dot8 and isinstance(network.layers[0].qkv, Int8Matrix):
            self._matrix(HEAD, 0, 0, _in_int8(network.embedding))  # rows are rounded more than it anyhow
        for i, layer in enumerate(network.layers):
            self._matrix(QKV, i, 0, layer.qkv)
            self._matrix(OUT, i, 0, layer.o)
            for e in range(network.config.num_local_experts):  # one at a time is read from disk
                self._matrix(GATE_UP, i, e, layer.gate_up[e])
                self._matrix(DOWN, i, e, layer.down[e])
            self._vector(ROUTER, i, layer.router)
            for j, norm in enumerate(layer.norms):
                self._vector(NORMS + j, i, norm)
        self._vector(LAST_NORM, 0, network.last_norm)
        cos, sin = rope_tables(torch.arange(self.context), network.config.head_dim, network.config.rope_theta)
        self._vector(COSINE, 0, cos)
        self._vector(SINE, 0, sin)

    def _matrix(self, which: int, layer: int, expert: int, weight: Weight) -> None:
        scale, groups = None, 1
        if isinstance(weight, Int8Matrix):
            kind, values, groups = INT8, weight.values.contiguous(), weight.groups
            scale = weight.scale.float().contiguous()
            self.precision = "int8 by int8" if self.dot8 else "int8 by int16"
        else:
            kind, values = _floats(weight)
        self._hold(
            self._library.gw_matrix(
                self._model,
                which,
                layer,
                expert,
                kind,
                values.data_ptr(),
                None if scale is None else scale.data_ptr(),
                groups,
            )
        )

    def _vector(self, which: int, layer: int, values: Tensor) -> None:
        floats = values.float().contiguous()
        self._hold(self._library.gw_vector(self._model, which, layer, floats.data_ptr()))

    @staticmethod
    def _hold(status: int) -> None:
        if status == -1:
            raise MemoryError("out of memory: no room for the packed weights")
        if status:
            raise ValueError(f"step.cpp refused a tensor (status {status})")


def ensure_native(config: Mapping[str, Any], device: str) -> None:
    """Raise NotBuilt, with the reason, where torch has to run a network of this config.json."""
    library()
    if device != "cpu":
        raise NotBuilt(f"the model runs on {device}")
    for name in ("hidden_size", "intermediate_size", "head_dim"):
        if config[name] % VECTOR:
            raise NotBuilt(f"{name} {config[name]} is no multiple of {VECTOR}")


def _in_int8(matrix: Tensor) -> Int8Matrix:
    """Returns nearest int8 values, a scale for each HEAD_BLOCK inputs; some rows at a time to save memory."""
    outputs, inputs = matrix.shape
    groups = inputs // HEAD_BLOCK if inputs % HEAD_BLOCK == 0 else inputs // VECTOR
    values = torch.empty(outputs, inputs, dtype=torch.int8)
    scale = torch.empty(outputs, groups)
    for start in range(0, outputs, ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        values[some], scale[some] = quantise(matrix[some], groups)
    return Int8Matrix(values, scale)


def _floats(weight: Tensor) -> tuple[int, Tensor]:
    """Returns (kind, contiguous): bfloat16 where that is exact (most released weights), else float32."""
    if weight.dtype == torch.bfloat16:
        return BFLOAT16, weight.contiguous()
    if all(torch.equal(rows.bfloat16().float(), rows.float()) for rows in torch.split(weight, ROWS_AT_ONCE)):
        return BFLOAT16, weight.bfloat16().contiguous()
    return FLOAT32, weight.float().contiguous()
