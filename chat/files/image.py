"""Decodes an image and encodes it anew, small and without anything beside its pixels.

Runs in the confined child (child.py) and imports nothing of Django. What was beside the pixels (place,
camera, comments, colour profile, thumbnails, appended files, further frames) ends here: only pixels go on.
"""

from __future__ import annotations

import io
import math
from typing import Any

import pi_heif
from PIL import Image, ImageCms, ImageOps

from chat.files.bounds import IMAGE_BYTES, IMAGE_SIDE, PIXELS
from chat.files.refused import Refused

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
PNG_COLOURS = 256  # with at most so many, an image is a drawing or a screenshot: PNG keeps its edges sharp
QUALITIES = (85, 70, 50)
SMALLER = 0.7  # of the sides, where no quality makes the image small enough
LEAST_SIDE = 8
ORIENTATION = 0x0112  # a tag of EXIF

Image.MAX_IMAGE_PIXELS = None  # `_check_size` refuses before Pillow would warn
Image.preinit()  # without the rest of Pillow's formats, which nobody needs here
pi_heif.options.DECODE_THREADS = 1
pi_heif.register_heif_opener()


def preload() -> None:
    """Uses each format once: Pillow imports its parts when they are needed first."""
    from PIL import WebPImagePlugin  # noqa: F401 - registers itself

    beside = Image.Exif()
    beside[ORIENTATION] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP"):
        written = io.BytesIO()
        Image.new("RGB", (2, 3)).save(written, kind, exif=beside, icc_profile=profile)
        read_image(written.getvalue())


def read_image(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """Returns the new bytes and a report: width, height, type ("jpeg" or "png"), frames if there are more.

    Raises Refused.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_size(opened)
            frames = int(getattr(opened, "n_frames", 1))
            is_animated = opened.format != "HEIF" and frames > 1  # further images in a HEIF are no animation
            image = _decoded(opened)
    except Refused:
        raise
    except MemoryError:
        raise Refused("too_many_pixels") from None
    except Exception:  # noqa: BLE001 - a hostile file may raise anything; the process ends with it
        raise Refused("broken_image") from None
    written, kind, size = _encoded(image)
    report = {"width": size[0], "height": size[1], "type": kind}
    return written, {**report, "frames": frames} if is_animated else report


def _check_size(opened: Image.Image) -> None:
    """Looks at the numbers of the header, before a pixel is unpacked."""
    width, height = opened.size
    if width < 1 or height < 1:
        raise Refused("broken_image")
    if width * height > PIXELS:
        raise Refused("too_many_pixels")


def _decoded(opened: Image.Image) -> Image.Image:
    """Returns the first frame, shrunk, upright, as RGB or RGBA with eight bits."""
    profile = opened.info.get("icc_profile")
    opened.draft(
        None, (IMAGE_SIDE, IMAGE_SIDE)
    )  # JPEG: unpacks a fraction of the pixels where that is enough
    opened.load()
    image = _eight_bits(opened)
    image.thumbnail((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    image = _upright(image, opened)
    image = _in_srgb(image, profile)
    if image.mode == "CMYK":
        image = image.convert("RGB")
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        image = image.convert("RGB")
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16 bits of grey; `convert` would cut them off instead of scaling
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("RGB", "CMYK") else image.convert("RGB")


def _upright(image: Image.Image, opened: Image.Image) -> Image.Image:
    """Turns the image as its metadata say. Ones that cannot be read turn nothing."""
    try:
        orientation = opened.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - as above
        return image
    if orientation not in range(2, 9):
        return image
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.info = {"exif": exif.tobytes()}
    return ImageOps.exif_transpose(image)


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Converts colours to sRGB, which is what an image without a profile means. A bad profile is ignored."""
    if not isinstance(profile, bytes) or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except Exception:  # noqa: BLE001 - as above
        return image
    return converted or image


def _encoded(image: Image.Image) -> tuple[bytes, str, tuple[int, int]]:
    """Returns bytes within IMAGE_BYTES, their type and the size of the image."""
    # A new image with the pixels alone: `info` would be written again.
    image = Image.frombytes(image.mode, image.size, image.tobytes())
    if image.mode == "RGBA" or image.getcolors(PNG_COLOURS) is not None:
        written = _written(image, "PNG", optimize=True)
        if len(written) <= IMAGE_BYTES:
            return written, "png", image.size
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    while True:
        for quality in QUALITIES:
            written = _written(image, "JPEG", quality=quality, optimize=True)
            if len(written) <= IMAGE_BYTES:
                return written, "jpeg", image.size
        image = image.resize([max(LEAST_SIDE, math.floor(side * SMALLER)) for side in image.size])


def _written(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()
