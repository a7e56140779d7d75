"""Finds the arrays of one file of the release without unpickling it. Standard library only.

A pickle is a program for a stack machine, and loading one runs it. The files of the release need 26 of its 68
opcodes and five names, so this walks those, on values that only describe: a name stays a name, a call makes a
description of an array, and a payload is an offset and a length that are not read here. Whatever else a file
holds is refused. The answer is at most two arrays: kind, shape, and the bytes of the file they occupy.

What a file claims is never allocated: text is at most 255 bytes, a program at most 512 steps.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

MOST_STEPS = 512  # the release needs 133
WINDOW = 4096  # bytes of program read at once
MOST_SHOWN = 60  # characters of a file that an error may repeat
ITEM_BYTES = {"f4": 4, "i1": 1, "bf16": 2}

RECONSTRUCT = {
    ("numpy.core.multiarray", "_reconstruct"),  # as numpy 1 writes it
    ("numpy._core.multiarray", "_reconstruct"),  # the same function in numpy 2
}
QUANTIZED, NDARRAY = ("__main__", "QuantizedWeight8bit"), ("numpy", "ndarray")
DTYPE, BFLOAT16 = ("numpy", "dtype"), ("ml_dtypes", "bfloat16")
ALLOWED = RECONSTRUCT | {QUANTIZED, NDARRAY, DTYPE, BFLOAT16}  # whole names; never a module or a prefix

ReadAt = Callable[[int, int], bytes]  # (offset, length) -> at most so many bytes


class NotTheRelease(ValueError):
    """Raised for a file that is not the release's. The message is one line, safe to print whatever the file
    holds.
    """


@dataclass(frozen=True, slots=True)
class Array:
    """`shape` items of a kind ("f4", "i1" or "bf16"), little-endian in C order, at bytes of the file."""

    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Name:
    """A global that the file names; nothing looks it up."""

    module: str
    name: str

    @property
    def pair(self) -> tuple[str, str]:
        return self.module, self.name


@dataclass(frozen=True, slots=True)
class Payload:
    offset: int
    length: int


@dataclass(slots=True)
class Dtype:
    kind: str
    built: bool = False


@dataclass(slots=True)
class Ndarray:
    array: Array | None = None


@dataclass(slots=True)
class Quantized:
    parts: tuple[Array, Array] | None = None


class Mark:
    """Marks where the items of the next tuple or dictionary begin."""


def shown(text: str) -> str:
    """Returns a part of a file for a message: short and without control characters."""
    return ascii(text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}...")[1:-1]


def arrays_in(read: ReadAt, size: int) -> list[Array]:
    """Returns one array, or int8 weights and bfloat16 scales of a matrix. Raises NotTheRelease."""
    found = Machine(read, size).run()
    if isinstance(found, Ndarray) and found.array is not None:
        return [found.array]
    if isinstance(found, Quantized) and found.parts is not None:
        return list(found.parts)
    raise NotTheRelease("holds neither an array nor quantized weights")


class Machine:
    """The opcodes of the release on describing values; `STEPS` is all it knows."""

    def __init__(self, read: ReadAt, size: int) -> None:
        self.read, self.size = read, size
        self.at = 0  # next byte of the program
        self.frame_end = 0
        self.window, self.window_at = b"", 0
        self.stack: list[object] = []
        self.memo: list[object] = []

    def run(self) -> object:
        if self.take(2) != b"\x80\x04":
            raise NotTheRelease("is no pickle of protocol 4")
        for _ in range(MOST_STEPS):
            begun, frame_end = self.at, self.frame_end
            code = self.take(1)
            if code == b".":
                return self.last()
            step = STEPS.get(code)
            if step is None:
                raise NotTheRelease(f"has opcode {code!r} at byte {begun}, which the release does not")
            step(self)
            if begun < frame_end < self.at:
                raise NotTheRelease(f"has an opcode at byte {begun} that runs over the end of its frame")
        raise NotTheRelease(f"has more than {MOST_STEPS} opcodes")

    def last(self) -> object:
        if self.at != self.size or self.frame_end > self.at:
            raise NotTheRelease(f"continues for {self.size - self.at} bytes after its end")
        if len(self.stack) != 1:
            raise NotTheRelease(f"leaves {len(self.stack)} objects, not one")
        return self.stack[0]

    # -- bytes ---------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        """Returns the next bytes of the program, at most 255."""
        begin = self.at - self.window_at
        if begin + count > len(self.window):
            self.window, self.window_at, begin = self.read(self.at, WINDOW), self.at, 0
        found = self.window[begin : begin + count]
        if len(found) != count:
            raise NotTheRelease(f"ends at byte {self.at}, in the middle of an opcode")
        self.at += count
        return found

    def number(self, layout: str) -> int:
        return int(struct.unpack(layout, self.take(struct.calcsize(layout)))[0])

    def frame(self) -> None:
        if self.at - 1 < self.frame_end:
            raise NotTheRelease("has a frame inside a frame")
        length = self.number("<Q")
        if length > self.size - self.at:
            raise NotTheRelease(f"claims a frame of {length} bytes, {self.size - self.at} are left")
        self.frame_end = self.at + length

    def payload(self, layout: str) -> None:
        length = self.number(layout)
        if length > self.size - self.at:
            raise NotTheRelease(f"claims {length} bytes of data, {self.size - self.at} are left")
        self.stack.append(Payload(self.at, length))
        self.at += length

    def text(self) -> None:
        try:
            self.stack.append(self.take(self.take(1)[0]).decode("ascii"))
        except UnicodeDecodeError:
            raise NotTheRelease("holds text that is not ASCII") from None

    # -- stack ---------------------------------------------------------------------------

    def pop(self) -> object:
        top = self.top()
        self.stack.pop()
        return top

    def top(self) -> object:
        if not self.stack or isinstance(self.stack[-1], Mark):
            raise NotTheRelease("takes more from its stack than there is")
        return self.stack[-1]

    def since_mark(self) -> list[object]:
        items: list[object] = []
        while self.stack and not isinstance(self.stack[-1], Mark):
            items.append(self.stack.pop())
        if not self.stack:
            raise NotTheRelease("takes more from its stack than there is")
        self.stack.pop()
        return items[::-1]

    def push_tuple(self, items: list[object]) -> None:
        """Refuses tuples of anything but plain values and shapes, so that nothing can be nested deeply."""
        for item in items:
            nested = isinstance(item, tuple) and any(type(number) is not int for number in item)
            if nested or isinstance(item, Ndarray | Quantized | dict):
                raise NotTheRelease("has a tuple of things that the release never puts in one")
        self.stack.append(tuple(items))

    def count_tuple(self, count: int) -> None:
        self.push_tuple([self.pop() for _ in range(count)][::-1])

    def recall(self) -> None:
        index = self.take(1)[0]
        if index >= len(self.memo):
            raise NotTheRelease(f"recalls object {index} of {len(self.memo)}")
        self.stack.append(self.memo[index])

    # -- what the release builds -----------------------------------------------------------

    def name(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise NotTheRelease("names a global with something that is no text")
        if (module, name) not in ALLOWED:
            raise NotTheRelease(f"names {shown(f'{module}.{name}')}, which the release does not")
        self.stack.append(Name(module, name))

    def new(self) -> None:
        """Describes a QuantizedWeight8bit without arguments; its state follows."""
        arguments, kind = self.pop(), self.pop()
        if not isinstance(kind, Name) or kind.pair != QUANTIZED or arguments != ():
            raise NotTheRelease("makes an object that the release does not")
        self.stack.append(Quantized())

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise NotTheRelease("calls something that is no function of the release")
        if function.pair in RECONSTRUCT:
            self.stack.append(self.empty_array(arguments))
        elif function.pair == DTYPE:
            self.stack.append(dtype_of(arguments))
        else:
            raise NotTheRelease(f"calls {function.module}.{function.name}, which the release does not")

    def empty_array(self, arguments: tuple[object, ...]) -> Ndarray:
        match arguments:
            case (Name() as kind, (0,), Payload(length=1) as code) if kind.pair == NDARRAY:
                if self.read(code.offset, 1) == b"b":
                    return Ndarray()
        raise NotTheRelease("begins an array in a way that numpy does not")

    def build(self) -> None:
        state, made = self.pop(), self.top()
        match made, state:
            case Ndarray(array=None), (
                1,
                tuple() as shape,
                Dtype(built=True) as dtype,
                order,
                Payload() as data,
            ):
                made.array = array_of(dtype, shape, order, data)
            case Dtype(built=False), tuple():
                check_dtype(made, state)
                made.built = True
            case Quantized(parts=None), {"weight": Ndarray() as weight, "scales": Ndarray() as scales}:
                made.parts = both(weight, scales)
            case _:
                raise NotTheRelease("gives an object a state that the release does not")

    def set_items(self) -> None:
        items, held = self.since_mark(), self.top()
        names, values = items[::2], items[1::2]
        if held != {} or not isinstance(held, dict) or names != ["weight", "scales"] or len(values) != 2:
            raise NotTheRelease("has an object whose parts are not weight and scales")
        held.update(zip(("weight", "scales"), values, strict=True))


STEPS: dict[bytes, Callable[[Machine], None]] = {
    b"\x95": Machine.frame,
    b"\x8c": Machine.text,
    b"\x94": lambda m: m.memo.append(m.top()),
    b"h": Machine.recall,
    b"\x93": Machine.name,
    b"K": lambda m: m.stack.append(m.number("<B")),
    b"M": lambda m: m.stack.append(m.number("<H")),
    b"J": lambda m: m.stack.append(m.number("<i")),
    b"C": lambda m: m.payload("<B"),
    b"B": lambda m: m.payload("<I"),
    b"\x8e": lambda m: m.payload("<Q"),  # 4 GiB or more: the one opcode that only larger models need
    b"N": lambda m: m.stack.append(None),
    b"\x88": lambda m: m.stack.append(True),
    b"\x89": lambda m: m.stack.append(False),
    b"(": lambda m: m.stack.append(Mark()),
    b")": lambda m: m.stack.append(()),
    b"\x85": lambda m: m.count_tuple(1),
    b"\x86": lambda m: m.count_tuple(2),
    b"\x87": lambda m: m.count_tuple(3),
    b"t": lambda m: m.push_tuple(m.since_mark()),
    b"}": lambda m: m.stack.append({}),
    b"u": Machine.set_items,
    b"\x81": Machine.new,
    b"R": Machine.call,
    b"b": Machine.build,
}


def dtype_of(arguments: tuple[object, ...]) -> Dtype:
    """Checks arguments of numpy.dtype: a code ("f4", "i1") or the type bfloat16, no alignment, a copy."""
    match arguments:
        case ("f4" | "i1" as kind, False, True):
            return Dtype(str(kind))
        case (Name() as kind, False, True) if kind.pair == BFLOAT16:
            return Dtype("bf16")
        case (str() as kind, *_) if kind.startswith("O"):
            raise NotTheRelease("holds an array of objects")
        case (str() as kind, _, _) if kind not in ITEM_BYTES:
            raise NotTheRelease(f"holds an array of type {shown(kind)}; the release has f4, i1 and bfloat16")
    raise NotTheRelease("holds an array of a type that the release does not have")


def check_dtype(dtype: Dtype, state: tuple[object, ...]) -> None:
    """Requires little-endian without fields or alignment; bfloat16's flags vary with ml_dtypes' version."""
    order = "|" if dtype.kind == "i1" else "<"
    plain: tuple[object, ...] = (3, order, None, None, None, -1, -1, 0)
    if dtype.kind == "bf16":
        flags = state[-1] if state else None
        holds_objects = not isinstance(flags, int) or flags & 0b11 or not 0 <= flags < 256
        plain = () if holds_objects else (3, order, None, None, None, 2, 2, flags)
    if state != plain:
        raise NotTheRelease("holds an array whose type has a byte order, fields or flags of its own")


def array_of(dtype: Dtype, shape: tuple[object, ...], order: object, data: Payload) -> Array:
    sizes = tuple(size for size in shape if type(size) is int and size > 0)
    if not 1 <= len(shape) <= 3 or len(sizes) != len(shape):
        raise NotTheRelease("holds an array of a shape that the release does not have")
    if order is not False:
        raise NotTheRelease("holds an array in Fortran order")
    if math.prod(sizes) * ITEM_BYTES[dtype.kind] != data.length:
        raise NotTheRelease(f"has {data.length} bytes for an array {list(sizes)} of {dtype.kind}")
    return Array(dtype.kind, sizes, data.offset, data.length)


def both(weight: Ndarray, scales: Ndarray) -> tuple[Array, Array]:
    if weight.array is None or scales.array is None:
        raise NotTheRelease("has quantized weights without data")
    if weight.array.offset == scales.array.offset:
        raise NotTheRelease("uses the same bytes as weights and as scales")
    return weight.array, scales.array
