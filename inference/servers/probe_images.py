"""Finds out whether the model behind a server sees images.

A server may accept an image and drop it, or read its address as text, so that acceptance alone proves
nothing: it counts if the answers name the colours of two images that have one colour each.
"""

from __future__ import annotations

import base64
import struct
import zlib

from inference.servers.body import content_with_images
from inference.servers.client import Server
from inference.servers.errors import Broken, Refused

COLOURS = {"green": (0, 160, 0), "blue": (0, 0, 220)}
QUESTION = "Which colour is this image? Answer with one word."
SIDE = 56  # pixels; some models refuse smaller ones
TOKENS = 64  # a model that thinks names the colour in its thoughts


async def probe_images(server: Server, model: str) -> bool:
    """Returns whether the model names the colour of each image, and no other."""
    for colour in COLOURS:
        said = await _said(server, model, colour)
        if [each for each in COLOURS if each in said] != [colour]:
            return False
    return True


async def _said(server: Server, model: str, colour: str) -> str:
    image = {"type": "png", "data": base64.b64encode(png_of(COLOURS[colour])).decode()}
    messages = [{"role": "user", "content": content_with_images(QUESTION, [image])}]
    body = {"model": model, "messages": messages, "stream": True, "max_tokens": TOKENS, "temperature": 0}
    try:
        chunks = [chunk async for chunk in server.complete(body)]
    except (Refused, Broken):  # Broken: llama.cpp's server answers 500 for a model that sees nothing
        return ""
    return "".join(chunk.thought + chunk.text for chunk in chunks).lower()


def png_of(colour: tuple[int, int, int]) -> bytes:
    """Returns an image of one colour."""
    rows = (b"\0" + bytes(colour) * SIDE) * SIDE
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
