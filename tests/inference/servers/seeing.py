"""A fake server whose model sees: it names the colour of the image that a trial sends."""

from __future__ import annotations

import base64
import struct
import zlib

from inference.servers.probe_images import COLOURS
from tests.inference.servers.fake_server import Call


def image_in(call: Call) -> str:
    """Returns the address of the image in the last question, "" without one."""
    content = call.body["messages"][-1]["content"]
    parts = content if isinstance(content, list) else []
    return next((part["image_url"]["url"] for part in parts if part["type"] == "image_url"), "")


def sees(call: Call) -> None:
    """Answers with the colour of the first pixel, as a model that sees would."""
    url = image_in(call)
    if not url:
        call.ok("yes")
        return
    png = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    size = struct.unpack(">I", png[33:37])[0]
    pixel = tuple(zlib.decompress(png[41 : 41 + size])[1:4])
    call.ok(next(name for name, colour in COLOURS.items() if colour == pixel))
