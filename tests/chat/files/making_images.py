"""Images that tests attach, good and hostile. All are made here; the HEIC was encoded once from this picture.

The pictures are red on the left and blue on the right, so that a turned or mirrored one is told apart.
"""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

RED, BLUE = (200, 30, 30), (30, 30, 200)
# 64 × 48 pixels; nothing that is installed can encode HEIC.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAEEAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA"
    "AA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw"
    "AAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFz"
    "wIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAA"
    "Av////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAEltZGF0AAAAPSgBr1jm9Oq//+Vr"
    "v/6j/IfJ//9f/0q9V+4xE/6eBVpa/3P0fRXdlA5uGcMnVNrcJetN1Xo0zzWlNDNHn0Q="
)


def picture(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image.convert(mode)


def noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random(7).randbytes(3 * width * height))


def photo(width: int, height: int) -> Image.Image:
    """Returns an image of many colours that flow into each other, as those of a photo."""
    return noise(16, 16).resize((width, height), Image.Resampling.BICUBIC)


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def read(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def exif(orientation: int) -> bytes:
    """Returns metadata with a place, a camera and an orientation."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "SecretCamera"
    tags.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    return tags.tobytes()


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def jpeg_with_secrets(orientation: int = 1) -> bytes:
    image = picture()
    return written(
        image, "JPEG", quality=95, exif=exif(orientation), icc_profile=profile(), comment=b"SecretComment"
    )


def png_with_secrets() -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", "SecretAuthor")
    notes.add_itxt("XML:com.adobe.xmp", "<x>SecretXmp</x>")
    return written(photo(64, 48), "PNG", pnginfo=notes, exif=exif(1), icc_profile=profile())


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(side: int) -> bytes:
    """Returns a PNG of a few bytes that says it has side × side pixels and unpacks to as many."""
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(side + 1)) for _ in range(side)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def png_with_text_bomb() -> bytes:
    """Returns a PNG whose text unpacks to a gigabyte."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    good = written(picture(), "PNG")
    return good[:33] + chunk(b"zTXt", b"Note\0\0" + packed) + good[33:]
