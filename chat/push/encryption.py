"""Encrypts a message for one browser (RFC 8291), and signs for its push service who sends it (RFC 8292).

Both are short recipes of what `cryptography` offers; docs/decisions/0013 has the libraries for them.
"""

from __future__ import annotations

import json
import secrets
import struct
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chat.push import keys

CURVE = ec.SECP256R1()
POINT_BYTES, SECRET_BYTES, SALT_BYTES = 65, 16, 16
RECORD_BYTES = 4096  # a message is one record
VALID_SECONDS = 12 * 3600  # of a signature; services accept at most 24 hours


def private_key(key: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(keys.number(key), CURVE)


def point_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def public_key(key: str) -> str:
    """Returns the public key as browsers want it: the point, uncompressed, in base64url."""
    return keys.encode(point_of(private_key(key)))


def check_keys(p256dh: str, auth: str) -> None:
    """Raises ValueError if these cannot be the keys of a browser."""
    point = keys.decode(p256dh)
    if len(point) != POINT_BYTES or len(keys.decode(auth)) != SECRET_BYTES:
        raise ValueError("a key has another length")
    ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)


def encrypt(
    message: bytes,
    p256dh: str,
    auth: str,
    *,
    length: int = 0,
    private: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes = b"",
) -> bytes:
    """Returns the body of the request: one record of `aes128gcm`, padded to `length` bytes of plain text.

    Every message has a key and a salt of its own; only the examples of the RFC give them.
    """
    private, salt = private or ec.generate_private_key(CURVE), salt or secrets.token_bytes(SALT_BYTES)
    theirs, mine = keys.decode(p256dh), point_of(private)
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, theirs))
    secret = _derived(keys.decode(auth), shared, b"WebPush: info\0" + theirs + mine, 32)
    key = _derived(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, secret, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, (message + b"\x02").ljust(length, b"\0"), None)
    return salt + struct.pack(">IB", RECORD_BYTES, len(mine)) + mine + sealed


def _derived(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def authorization(key: str, origin: str, contact: str) -> str:
    """Returns the header that proves to the service at `origin` that the holder of `key` sends."""
    private = private_key(key)
    claims = {"aud": origin, "exp": int(time.time()) + VALID_SECONDS, "sub": contact}
    signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
    r, s = decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"vapid t={signed}.{keys.encode(signature)}, k={keys.encode(point_of(private))}"


def _json(value: dict[str, object]) -> str:
    return keys.encode(json.dumps(value, separators=(",", ":")).encode())
