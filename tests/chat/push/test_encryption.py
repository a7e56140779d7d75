"""Messages are encrypted and signed as the RFCs say: their own example, and a browser in single steps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chat.push import encryption, keys
from tests.chat.push.browsers import Browser, b64, raw

# RFC 8291, section 5 and appendix A
TEXT = b"When I grow up, I want to be a watermelon"
SENDER, SALT = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", "DGv6ra1nlYgDCS1FRnbzlw"
RECEIVER, SECRET = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94", "BTBZMqHH6r4Tts7J_aSIgg"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
    "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_rfc_comes_out_byte_by_byte() -> None:
    browser = Browser(RECEIVER, SECRET)
    sent = encryption.encrypt(
        TEXT, b64(browser.point), SECRET, private=encryption.private_key(SENDER), salt=raw(SALT)
    )
    assert b64(sent) == BODY
    assert browser.open(sent) == TEXT


def test_messages_of_any_length_look_alike_and_never_the_same() -> None:
    browser = Browser()
    bodies = [
        encryption.encrypt(text, b64(browser.point), b64(browser.secret), length=512)
        for text in (b"a", b"a", b"a" * 400)
    ]
    assert [browser.open(body) for body in bodies] == [b"a", b"a", b"a" * 400]
    assert len({len(body) for body in bodies}) == 1
    assert len(set(bodies)) == 3


def test_the_signature_names_the_service_and_the_operator() -> None:
    key = keys.generate()
    scheme, _, rest = encryption.authorization(key, "https://push.example", "mailto:a@b.example").partition(
        " "
    )
    fields = dict(each.strip().split("=", 1) for each in rest.split(","))
    head, claims, signature = fields["t"].split(".")
    assert scheme == "vapid"
    assert fields["k"] == encryption.public_key(key)
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(fields["k"]))
    halves = raw(signature)
    numbers = encode_dss_signature(int.from_bytes(halves[:32]), int.from_bytes(halves[32:]))
    point.verify(numbers, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    read: dict[str, Any] = json.loads(raw(claims))
    assert (read["aud"], read["sub"]) == ("https://push.example", "mailto:a@b.example")


@pytest.mark.parametrize("key", ["", "no key", "AAAA", b64(bytes(32)), b64(b"\xff" * 32), f"{'A' * 42}C"])
def test_texts_that_are_no_key_are_refused(key: str) -> None:
    with pytest.raises(keys.UnusableKey):
        keys.number(key)
