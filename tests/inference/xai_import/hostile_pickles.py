"""Pickles that are not of the release, each with the words of its refusal."""

from __future__ import annotations

import os
import pickle
import struct
from typing import Any

import numpy as np

from tests.inference.release_pickles import (
    CKPT,
    FALSE,
    NDARRAY,
    NONE,
    QUANTIZED,
    RECONSTRUCT,
    TRUE,
    array,
    dtype,
    many,
    name,
    number,
    quantized,
    text,
    whole,
)

NORM, QUERY, EXPERTS = "tensor00001_000", "tensor00007_000", "tensor00002_000"
CANARY = "canary"  # made by every payload that would run, in the current folder
ONES = np.ones(48, np.float32).tobytes()
Q = np.ones((48, 96), np.int8).tobytes()
Q_SCALES = b"\x80\x3f" * 96


def norm(**changes: Any) -> bytes:
    return whole(array("f4", (48,), ONES, **changes))


def query(weight: bytes | None = None, scales: bytes | None = None, **changes: Any) -> bytes:
    weight = array("i1", (48, 96), Q) if weight is None else weight
    scales = array("bf16", (1, 96), Q_SCALES) if scales is None else scales
    return whole(quantized(weight, scales, **changes))


def padded(body: bytes, file: str = NORM) -> bytes:
    """Pads to the length of the honest file, so that the length reveals nothing."""
    return b"\x80\x04" + body + b"N" * ((CKPT / file).stat().st_size - len(body) - 3) + b"."


SHELL = f"touch {CANARY}"
CALL_SYSTEM = name("posix", "system") + text(SHELL) + b"\x85R"
CALL_EVAL = name("builtins", "eval") + text(f"open('{CANARY}','w')") + b"\x85R"


class Reduced:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (SHELL,)


def laughs(levels: int) -> bytes:
    """Tuples of the same tuple twice, each level in one byte more."""
    body = b")\x94"
    for level in range(levels):
        body += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86\x94"
    return body


PICKLES: dict[str, tuple[str, bytes, str]] = {
    "shell": (NORM, padded(CALL_SYSTEM), r"names posix\.system, which"),
    "shell by Python's pickler": (NORM, padded(pickle.dumps(Reduced(), 4)[2:-1]), r"names posix\.system"),
    "eval": (NORM, padded(CALL_EVAL), r"names builtins\.eval"),
    "getattr": (NORM, padded(name("builtins", "getattr")), r"names builtins\.getattr"),
    "import": (NORM, padded(name("importlib", "import_module")), r"names importlib\.import_module"),
    "numpy.load": (NORM, padded(name("numpy", "load")), r"names numpy\.load"),
    "numpy by a prefix": (NORM, padded(name("numpy.f2py", "compile")), r"names numpy\.f2py\.compile"),
    "numpy's scalar": (
        NORM,
        padded(name("numpy.core.multiarray", "scalar")),
        r"names numpy\.core\.multiarray\.scalar",
    ),
    "name with dots": (
        NORM,
        padded(name("numpy.core.multiarray", "_reconstruct.__globals__")),
        r"names numpy\.core\.multiarray\._reconstruct\.__globals__",
    ),
    "name split elsewhere": (
        NORM,
        padded(name("numpy.core", "multiarray._reconstruct")),
        "which the release does not",
    ),
    "method of the class": (
        NORM,
        padded(name("__main__", "QuantizedWeight8bit.__init__")),
        "which the release does not",
    ),
    "look-alike": (NORM, padded(name("nump\u0443", "dtype")), "text that is not ASCII"),
    "name from a number": (
        NORM,
        padded(text("numpy") + b"K\x01\x93"),
        "names a global with something that is no text",
    ),
    "terminal codes in a name": (NORM, padded(name("\x1b[2J", "x\n")), r"names \\x1b\[2J\.x\\n"),
    "GLOBAL": (NORM, padded(b"cposix\nsystem\n"), r"opcode b'c' at byte 2"),
    "INST": (NORM, padded(b"(X\x04\x00\x00\x00exitiposix\nsystem\n"), "opcode b'X'"),
    "OBJ": (NORM, padded(b"(o"), "opcode b'o'"),
    "NEWOBJ_EX": (NORM, padded(QUANTIZED[:-2] + b"}\x92"), r"opcode b'\\x92'"),
    "persistent id": (NORM, padded(b"Pevil\n"), "opcode b'P'"),
    "persistent id from the stack": (NORM, padded(b"NQ"), "opcode b'Q'"),
    "extension": (NORM, padded(b"\x82\x01"), r"opcode b'\\x82'"),
    "buffer of protocol 5": (NORM, padded(b"\x97"), r"opcode b'\\x97'"),
    "byte array of protocol 5": (NORM, padded(b"\x96" + b"\xff" * 8), r"opcode b'\\x96'"),
    "long integer": (NORM, padded(b"\x8b" + struct.pack("<i", 2**31 - 1)), r"opcode b'\\x8b'"),
    "text of 4 GB": (NORM, padded(b"X\xff\xff\xff\xff"), "opcode b'X'"),
    "protocol 5": (NORM, b"\x80\x05" + norm()[2:], "is no pickle of protocol 4"),
    "protocol 0": (NORM, pickle.dumps([1.0] * 48, 0), "is no pickle of protocol 4"),
    "no pickle": (NORM, b"\x7fELF" + bytes(335), "is no pickle of protocol 4"),
    "npy file": (NORM, b"\x93NUMPY\x01\x00" + bytes(331), "is no pickle of protocol 4"),
    "zip": (NORM, b"PK\x03\x04" + bytes(335), "is no pickle of protocol 4"),
    "list": (NORM, padded(b"]"), r"opcode b'\]'"),
    "no end": (NORM, norm()[:-1], "ends at byte"),
    "something after the end": (NORM, norm() + b"N", "continues for 1 bytes after its end"),
    "second pickle": (NORM, norm() + whole(CALL_SYSTEM), "bytes after its end"),
    "two objects": (NORM, whole(b"N" + norm()[2:-1]), "leaves 2 objects"),
    "nothing": (NORM, padded(b""), r"leaves \d+ objects"),
    "number for an array": (NORM, whole(b"C\xc8" + bytes(200)), "neither an array nor quantized"),
    "steps without end": (NORM, b"\x80\x04" + b"N" * 600 + b".", "more than 512 opcodes"),
    "memo without end": (NORM, b"\x80\x04N" + b"\x94" * 1500 + b".", "more than 512 opcodes"),
    "marks inside marks": (NORM, b"\x80\x04" + b"(" * 400 + b"t" * 400 + b".", "puts in one|more than 512"),
    "tuples inside tuples": (NORM, b"\x80\x04)" + b"\x85" * 400 + b".", "that the release never puts in one"),
    "billion laughs": (NORM, padded(laughs(40)), "that the release never puts in one"),
    "memo that is not there": (NORM, padded(b"h\x07"), "recalls object 7 of 0"),
    "empty stack": (NORM, padded(b"R"), "more from its stack than there is"),
    "through a mark": (NORM, padded(b"N(\x85"), "more from its stack than there is"),
    "tuple without a mark": (NORM, padded(b"t"), "more from its stack than there is"),
    "claims 4 GB": (
        NORM,
        norm(opcode=b"B\xff\xff\xff\xff"),
        r"claims 4294967295 bytes of data, \d+ are left",
    ),
    "claims more than there is": (
        NORM,
        norm(opcode=b"\x8e" + b"\xff" * 8),
        "claims 18446744073709551615 bytes",
    ),
    "frame of 4 GB": (NORM, b"\x80\x04\x95" + struct.pack("<Q", 2**32) + norm()[2:], "claims a frame of"),
    "frame that ends early": (
        NORM,
        b"\x80\x04\x95" + struct.pack("<Q", 5) + norm()[2:],
        "over the end of its frame",
    ),
    "frame in a frame": (
        NORM,
        b"\x80\x04" + (b"\x95" + struct.pack("<Q", 50)) * 2 + norm()[2:],
        "frame inside a frame",
    ),
    "objects": (NORM, norm(of=dtype("O8")), "holds an array of objects"),
    "objects by flags": (
        QUERY,
        query(
            scales=array(
                "bf16",
                (1, 96),
                Q_SCALES,
                of=dtype(
                    "bf16",
                    state=many(number(3), text("<"), NONE, NONE, NONE, number(2), number(2), number(63)),
                ),
            )
        ),
        "a byte order, fields or flags of its own",
    ),
    "fields": (
        NORM,
        norm(
            of=dtype(
                "f4", state=many(number(3), text("|"), NONE, text("x"), NONE, number(4), number(1), number(0))
            )
        ),
        "a byte order, fields or flags of its own",
    ),
    "callable type": (NORM, norm(of=dtype("f4", code=NDARRAY)), "of a type that the release does not have"),
    "void type": (NORM, norm(of=dtype("V4")), "holds an array of type V4"),
    "doubles": (NORM, whole(array("f8", (24,), ONES)), "holds an array of type f8"),
    "big-endian": (NORM, norm(of=dtype("f4", order=">")), "a byte order, fields or flags of its own"),
    "Fortran order": (NORM, norm(order=TRUE), "in Fortran order"),
    "negative side": (
        NORM,
        norm(sides=many(number(-48), number(-1))),
        "of a shape that the release does not have",
    ),
    "side of zero": (NORM, norm(sides=many(number(0))), "of a shape that the release does not have"),
    "side that is True": (NORM, norm(sides=many(number(48), TRUE)), "puts in one|a shape that the release"),
    "ten million billion": (NORM, norm(sides=many(*[number(2**31 - 1)] * 3)), "has 192 bytes for an array"),
    "shape of another": (
        NORM,
        norm(sides=many(number(6), number(8))),
        r"holds f4 \[6, 8\]; rms_norm is f4 \[48\]",
    ),
    "other version": (NORM, norm(version=b"K\x02"), "a state that the release does not"),
    "subclass of an array": (
        NORM,
        whole(
            RECONSTRUCT
            + name("__main__", "QuantizedWeight8bit")
            + many(number(0))
            + b"C\x01b\x87R"
            + b"N" * 200
        ),
        "begins an array in a way that numpy does not",
    ),
    "array from a shape": (
        NORM,
        whole(RECONSTRUCT + NDARRAY + many(number(10**6)) + b"C\x01b\x87R" + b"N" * 200),
        "begins an array in a way that numpy does not",
    ),
    "dtype called with more": (
        NORM,
        padded(name("numpy", "dtype") + many(text("f4"), FALSE, TRUE, NONE) + b"R"),
        "of a type that the release does not have",
    ),
    "array without data": (
        NORM,
        padded(RECONSTRUCT + NDARRAY + many(number(0)) + b"C\x01b\x87R"),
        "leaves|neither",
    ),
    "state given twice": (
        NORM,
        whole(
            array("f4", (48,), ONES)
            + b"(K\x01"
            + many(number(1))
            + dtype("f4")
            + FALSE
            + b"C\x04abcd"
            + b"tb"
        ),
        "a state that the release does not",
    ),
    "quantized for plain": (
        NORM,
        whole(quantized(array("i1", (48,), bytes(48)), array("bf16", (72,), bytes(144)))),
        r"holds i1 \[48\] and bf16 \[72\]; rms_norm is f4 \[48\]",
    ),
    "plain for quantized": (QUERY, whole(array("i1", (48, 100), bytes(4800))), r"holds i1 \[48, 100\]"),
    "more rows of scales": (
        QUERY,
        query(scales=array("bf16", (2, 96), Q_SCALES * 2)),
        r"bf16 \[2, 96\]; decoder_layer_0/multi_head_attention/query is i1 \[48, 96\] and bf16 \[1, 96\]",
    ),
    "float scales": (QUERY, query(scales=array("f4", (1, 96), bytes(384))), r"f4 \[1, 96\]; decoder_layer_0"),
    "turned weights": (QUERY, query(weight=array("i1", (96, 48), Q)), r"holds i1 \[96, 48\]"),
    "no scales": (
        QUERY,
        whole(QUANTIZED + b"}(" + text("weight") + array("i1", (48, 96), Q) + b"ub"),
        "not weight and scales",
    ),
    "one part more": (
        QUERY,
        query()[:-3] + text("__class__") + name("numpy", "ndarray") + b"ub.",
        "not weight and scales",
    ),
    "part with a magic name": (
        QUERY,
        query().replace(text("scales"), text("__dict__")),
        "not weight and scales",
    ),
    "state of another kind": (
        QUERY,
        whole(QUANTIZED + array("i1", (48, 96), Q) + b"b" + b"N" * 200),
        "a state that",
    ),
    "class with arguments": (QUERY, query(begin=QUANTIZED[:-3] + b"N\x85\x81\x94"), "makes an object that"),
    "another class": (
        QUERY,
        query(begin=NDARRAY + b")\x81\x94"),
        "makes an object that the release does not",
    ),
    "calling the class": (
        QUERY,
        query(begin=name("__main__", "QuantizedWeight8bit") + b")R\x94"),
        "calls __main__.Quan",
    ),
    # The sixteenth thing remembered is the array of the weights.
    "weights as scales": (
        QUERY,
        whole(
            QUANTIZED + b"}\x94(" + text("weight") + array("i1", (48, 96), Q) + text("scales") + b"h\x0fub"
        ),
        "uses the same bytes as weights and as scales",
    ),
}
