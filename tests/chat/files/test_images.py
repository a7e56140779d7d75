"""Tests images: how they are read, what is left of them, and who is shown them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from PIL import Image, ImageChops

from chat.files import uploading
from chat.files.bounds import IMAGE_BYTES, IMAGE_SIDE
from chat.files.child import image_answer
from chat.files.kinds import HEAD, kind_of
from chat.files.models import File, Kind
from chat.files.reading import Outcome, read
from chat.model_cards.models import ModelCard
from tests.chat.cast import Cast
from tests.chat.files import making_images as making
from tests.chat.files.uploading import put

Attached = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db

FOUR_FORMATS = {
    "jpeg": making.written(making.picture(), "JPEG", quality=95),
    "png": making.written(making.picture(), "PNG"),
    "webp": making.written(making.picture(), "WEBP", lossless=True),
    "heic": making.HEIC,
}


@pytest.fixture(autouse=True)
def _a_model_sees() -> None:
    ModelCard.objects.update(capabilities={"images": True})


def confined(data: bytes, tmp_path: Path) -> Outcome:
    """Returns what the confined child makes of an image."""
    (tmp_path / "image").write_bytes(data)
    with (tmp_path / "image").open("rb") as content:
        return read(content, Kind.IMAGE)


def encoded(data: bytes) -> Outcome:
    """Returns the same from this process, for what does not depend on the sandbox."""
    verdict, report, written = image_answer(data)
    return Outcome(verdict, image=written, report=report)


def is_red(image: Any, place: tuple[int, int]) -> bool:
    red, _green, blue = image.convert("RGB").getpixel(place)
    return bool(red > 150 > 80 > blue)


@pytest.mark.parametrize("kind", FOUR_FORMATS)
def test_four_formats_are_read(kind: str, tmp_path: Path) -> None:
    assert kind_of(FOUR_FORMATS[kind][:HEAD]) is Kind.IMAGE
    result = confined(FOUR_FORMATS[kind], tmp_path)
    assert (result.verdict, result.report["width"], result.report["height"]) == ("ok", 64, 48)
    image = making.read(result.image)
    assert (is_red(image, (5, 24)), is_red(image, (58, 24))) == (True, False)


def test_a_photo_becomes_a_small_jpeg_and_a_drawing_stays_a_png() -> None:
    result = encoded(making.written(making.photo(1_700, 850), "PNG"))
    assert result.report == {"width": IMAGE_SIDE, "height": IMAGE_SIDE // 2, "type": "jpeg"}
    assert len(result.image) <= IMAGE_BYTES
    assert making.read(result.image).format == "JPEG"
    assert encoded(making.written(making.picture(), "PNG")).report["type"] == "png"


def test_noise_that_compresses_badly_becomes_smaller_until_it_fits() -> None:
    result = encoded(making.written(making.noise(1_500, 1_500), "JPEG", quality=95))
    assert result.verdict == "ok"
    assert len(result.image) <= IMAGE_BYTES


@pytest.mark.parametrize("data", [making.jpeg_with_secrets(), making.png_with_secrets()], ids=["jpeg", "png"])
def test_nothing_beside_the_pixels_is_left(data: bytes, tmp_path: Path) -> None:
    assert b"Secret" in data
    result = confined(data + b"PK\x03\x04 SecretArchive", tmp_path)
    assert b"Secret" not in result.image
    image = making.read(result.image)
    assert not image.getexif()
    assert not {"icc_profile", "exif", "comment", "xmp", "Author"} & set(image.info)


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [(1, (64, 48), (5, 24)), (3, (64, 48), (58, 24)), (6, (48, 64), (24, 5)), (8, (48, 64), (24, 58))],
)
def test_a_turned_photo_stands_upright(orientation: int, size: tuple[int, int], red: tuple[int, int]) -> None:
    image = making.read(encoded(making.jpeg_with_secrets(orientation)).image)
    assert image.size == size
    assert is_red(image, red)


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P", "RGBA", "LA"])
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    image = making.picture(mode=mode)
    data = making.written(image, "JPEG" if mode == "CMYK" else "PNG")
    shown = making.read(encoded(data).image).convert("RGB")
    differences = ImageChops.difference(shown, image.convert("RGB")).crop((2, 2, 20, 40)).getextrema()
    assert max(each for pair in differences for each in pair) < 16


def test_sixteen_bits_of_grey_keep_their_brightness() -> None:
    data = making.written(Image.new("I;16", (30, 20), 257 * 100), "PNG")
    assert making.read(encoded(data).image).convert("RGB").getpixel((5, 5)) == (100, 100, 100)


def test_transparent_pixels_stay_so() -> None:
    image = making.picture(mode="RGBA")
    image.putalpha(Image.new("L", image.size, 40))
    result = encoded(making.written(image, "PNG"))
    assert result.report["type"] == "png"
    assert making.read(result.image).getpixel((5, 5))[3] == 40


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_image_of_an_animation_is_used(kind: str) -> None:
    frames = [making.picture(), Image.new("RGB", (64, 48), "green")]
    data = making.written(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    result = encoded(data)
    assert result.report["frames"] == 2
    assert is_red(making.read(result.image), (5, 24))


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (FOUR_FORMATS["jpeg"][:300], "broken_image"),
        (FOUR_FORMATS["png"][:60], "broken_image"),
        (FOUR_FORMATS["webp"][:30], "broken_image"),
        (making.HEIC[:400], "broken_image"),
        (b"\xff\xd8\xff" + bytes(500), "broken_image"),
        (b"\x89PNG\r\n\x1a\n" + making.chunk(b"IHDR", bytes(13)), "broken_image"),
        (making.png_bomb(9_000), "too_many_pixels"),
    ],
    ids=["cut JPEG", "cut PNG", "cut WebP", "cut HEIC", "no JPEG", "PNG without size", "bomb"],
)
def test_hostile_images_end_in_words(data: bytes, verdict: str, tmp_path: Path) -> None:
    result = confined(data, tmp_path)
    assert (result.verdict, result.image) == (verdict, b"")


def test_a_bomb_in_the_metadata_goes_off_in_nobodys_memory(tmp_path: Path) -> None:
    assert confined(making.png_with_text_bomb(), tmp_path).verdict == "broken_image"


@pytest.mark.parametrize(
    "head", [b"GIF89a\x01\x00\x01\x00\x80", b"II*\x00" + bytes(20), b"\x00\x00\x00\x1cftypavif" + bytes(20)]
)
def test_other_images_are_refused(cast: Cast, head: bytes) -> None:
    answer = put(cast.client("alice"), head + bytes(40))
    assert answer.status_code == 400
    assert answer.json()["error"]["words"] == "Of images, only PNG, JPEG, WebP and HEIC can be read here."


def test_an_image_that_says_it_is_a_pdf_stays_an_image() -> None:
    data = making.written(making.picture(), "JPEG", comment=b"\n%PDF-1.4\n1 0 obj")
    assert kind_of(data[:HEAD]) is Kind.IMAGE


def test_no_image_is_taken_where_no_model_sees(cast: Cast, asked: list[UUID]) -> None:
    ModelCard.objects.update(capabilities={})
    answer = put(cast.client("alice"), FOUR_FORMATS["png"])
    assert answer.status_code == 400
    assert "No model here can see images" in answer.json()["error"]["words"]
    assert not File.objects.exists()


def test_the_bytes_that_came_in_are_replaced(cast: Cast, attached: Attached) -> None:
    data = making.jpeg_with_secrets()
    result = attached(data, "IMG_1.jpeg")
    shown = {name: result[name] for name in ("kind", "state", "image", "tokens")}
    assert shown == {"kind": "image", "state": "ready", "image": [64, 48], "tokens": 6}
    file = File.objects.get()
    folder = Path(settings.DATA_DIR) / "files"
    stored = list(folder.rglob(f"{file.pk.hex}*"))
    assert stored == [folder / file.stored]
    assert b"Secret" not in stored[0].read_bytes()
    assert file.size == stored[0].stat().st_size == result["size"] == uploading.bytes_of(cast.alice)


def test_an_image_is_shown_runs_nothing_and_stays_in_no_cache(cast: Cast, attached: Attached) -> None:
    result = attached(making.HEIC, "été.HEIC")
    answer = cast.client("alice").get(f"/api/files/{result['id']}/image/")
    assert making.read(answer.content).size == (64, 48)
    shown = {name: answer[name] for name in ("Content-Type", "X-Content-Type-Options", "Content-Disposition")}
    assert shown == {
        "Content-Type": "image/png",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "inline; filename*=utf-8''%C3%A9t%C3%A9.png",
    }
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cache-Control"] == "private, no-store"
    original = cast.client("alice").get(f"/api/files/{result['id']}/original/")
    assert original["Content-Disposition"] == "attachment; filename*=utf-8''%C3%A9t%C3%A9.png"


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("bob", 404), ("staff", 404), ("anonymous", 401)]
)
def test_only_its_owner_sees_an_image(cast: Cast, attached: Attached, who: str, status: int) -> None:
    result = attached(FOUR_FORMATS["png"])
    assert cast.client(who).get(f"/api/files/{result['id']}/image/").status_code == status


def test_a_text_is_no_image(cast: Cast, attached: Attached) -> None:
    result = attached(b"words")
    assert result["image"] is None
    assert cast.client("alice").get(f"/api/files/{result['id']}/image/").status_code == 404


def test_a_broken_image_says_so_and_is_not_shown(cast: Cast, attached: Attached) -> None:
    result = attached(FOUR_FORMATS["jpeg"][:300])
    assert (result["state"], result["words"]) == ("failed", "This image is broken and cannot be read.")
    assert cast.client("alice").get(f"/api/files/{result['id']}/image/").status_code == 404
