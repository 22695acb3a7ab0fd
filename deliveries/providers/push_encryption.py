"""Web push: what is sent is encrypted for one browser (RFC 8291) and signed by its sender (VAPID, RFC 8292)."""

import json
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD = 4096
LONGEST = RECORD - 16 - 1 - 86  # what push services take: one record with its header, tag and end
_CURVE = ec.SECP256R1()
SECRET_BYTES = 16
_VALID_SECONDS = 12 * 3600


def encode(raw: bytes) -> str:
    """Base64url without padding, as every key of web push is written."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of `encode`. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_private_key() -> str:
    """A fresh key that signs for one sender."""
    return encode(ec.generate_private_key(_CURVE).private_numbers().private_value.to_bytes(32, "big"))


def private_key_of(text: str) -> ec.EllipticCurvePrivateKey:
    """The key that is written so. Raises ValueError."""
    return ec.derive_private_key(int.from_bytes(decode(text), "big"), _CURVE)


def public_key_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The point of a key, uncompressed: what browsers are given as `applicationServerKey`."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def is_browser(p256dh: str, auth: str) -> bool:
    """Whether these are the keys of a browser: a point of the curve, and 16 bytes (RFC 8291, 2.1 and 3.2)."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, decode(p256dh))
        return len(decode(auth)) == SECRET_BYTES
    except ValueError:
        return False


def vapid(key: ec.EllipticCurvePrivateKey, endpoint: str, contact: str, now: float | None = None) -> str:
    """The `Authorization` header of one request to an endpoint."""
    parts = urlsplit(endpoint)
    moment = time.time() if now is None else now
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(moment) + _VALID_SECONDS, "sub": contact}
    signed = ".".join(encode(json.dumps(one).encode()) for one in ({"typ": "JWT", "alg": "ES256"}, claims))
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    token = f"{signed}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    return f"vapid t={token}, k={encode(public_key_of(key))}"


def encrypt(
    text: bytes,
    receiver: bytes,
    secret: bytes,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body (`aes128gcm`) that only the browser with these keys can read. Key and salt are fresh for each message.

    Raises ValueError when the browser's key is no point of the curve.
    """
    key, salt = key or ec.generate_private_key(_CURVE), salt or os.urandom(16)
    point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, receiver)
    ours = public_key_of(key)
    shared = key.exchange(ec.ECDH(), point)
    content_key, nonce = content_keys(shared, secret, salt, receiver=receiver, sender=ours)
    header = salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return header + AESGCM(content_key).encrypt(nonce, text + b"\x02", None)


def content_keys(shared: bytes, secret: bytes, salt: bytes, *, receiver: bytes, sender: bytes) -> tuple[bytes, bytes]:
    """The key and the nonce of one message, which both ends derive (RFC 8291, 3.4)."""
    material = _derive(secret, shared, b"WebPush: info\0" + receiver + sender, 32)
    content_key = _derive(salt, material, b"Content-Encoding: aes128gcm\0", 16)
    return content_key, _derive(salt, material, b"Content-Encoding: nonce\0", 12)


def _derive(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(material)
