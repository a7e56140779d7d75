"""A browser that is subscribed to notifications: its keys, and what it reads of a message."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hmac(key: bytes, data: bytes) -> bytes:
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(data)
    return made.finalize()


class Browser:
    """Decrypts by the steps of RFC 8291, section 3.4, written out."""

    def __init__(self, private: str = "", auth: str = "") -> None:
        number = int.from_bytes(raw(private)) if private else secrets.randbelow(2**255) + 1
        self.private = ec.derive_private_key(number, ec.SECP256R1())
        self.point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.secret = raw(auth) if auth else secrets.token_bytes(16)

    def subscription(self, endpoint: str) -> dict[str, str]:
        return {"endpoint": endpoint, "p256dh": b64(self.point), "auth": b64(self.secret)}

    def open(self, body: bytes) -> bytes:
        """Returns the message without its padding."""
        salt, length = body[:16], body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        shared = self.private.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        )
        info = b"WebPush: info\x00" + self.point + theirs
        key = _hmac(_hmac(self.secret, shared), info + b"\x01")
        again = _hmac(salt, key)
        content_key = _hmac(again, b"Content-Encoding: aes128gcm\x00\x01")[:16]
        nonce = _hmac(again, b"Content-Encoding: nonce\x00\x01")[:12]
        message = AESGCM(content_key).decrypt(nonce, sealed, None).rstrip(b"\x00")
        assert message.endswith(b"\x02")
        return message[:-1]

    def read(self, request: bytes) -> dict[str, Any]:
        """Returns what the service worker gets of a request to the push service."""
        read: dict[str, Any] = json.loads(self.open(request.partition(b"\r\n\r\n")[2]))
        return read
