"""Whoever carries the demo's messages, on this machine: `python -m chimeway_py.demo.carriers PORT FOLDER`.

None of it belongs to the service; all of it is what lies beyond: a pager, two chats of which one is down, a gateway for
text messages that speaks and reports as Twilio does, and a push service, which is the browser as well. Each message
becomes a file in the folder.
"""

import base64
import hashlib
import hmac
import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chimeway_py.embedded.webhook_sink import Post, Receiver
from deliveries.providers.push_encryption import content_keys, encode, public_key_of

CHAT, CHAT_DOWN, PAGER, PUSH, TEXTS = "/chat", "/chat-that-is-down", "/pager", "/push/", "/2010-04-01/"
UNREACHABLE = "00"  # a number that ends so is never reached
NOT_REACHED = "30003"  # Twilio's word for a phone that is switched off
REPORT_AFTER, TRIES = 0.2, 5  # seconds, and how often a report is posted until it is taken
_BROWSER = ec.derive_private_key(int.from_bytes(b"the browser of the demo", "big"), ec.SECP256R1())
_SHARED = b"known to nobody!"


def subscription(url: str, who: str) -> dict[str, Any]:
    """What `PushSubscription.toJSON()` gives in the browser of the demo."""
    keys = {"p256dh": encode(public_key_of(_BROWSER)), "auth": encode(_SHARED)}
    return {"endpoint": f"{url}{PUSH}{who}", "keys": keys}


class Carrier(Post):
    """One message that arrives."""

    def answer(self, body: bytes) -> None:
        """As whoever lies at this address would."""
        if self.path.startswith(TEXTS):
            return self._take_text(body)
        text = _read_by_browser(body) if self.path.startswith(PUSH) else body.decode(errors="replace")
        self.keep(text)
        return self.say(503 if self.path == CHAT_DOWN else 201)

    def _take_text(self, body: bytes) -> None:
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        _, token = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode().split(":", 1)
        self.keep(json.dumps(fields))
        sid = "SM" + hashlib.sha256(self.headers["I-Twilio-Idempotency-Token"].encode()).hexdigest()[:32]
        self.say(201, {"sid": sid, "status": "queued"})
        if "StatusCallback" in fields:
            report = {"MessageSid": sid, **_fate(fields["To"])}
            threading.Timer(REPORT_AFTER, _report, [fields["StatusCallback"].split("#")[0], report, token]).start()


def _fate(number: str) -> dict[str, str]:
    if number.endswith(UNREACHABLE):
        return {"MessageStatus": "undelivered", "ErrorCode": NOT_REACHED}
    return {"MessageStatus": "delivered"}


def _report(url: str, fields: Mapping[str, str], token: str, tries: int = TRIES) -> None:
    """Post a report, signed as Twilio signs; again where it was not taken."""
    signed = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()
    request = urllib.request.Request(url, urlencode(fields).encode(), {"X-Twilio-Signature": signature})  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310  an address on this machine
    except (urllib.error.URLError, OSError):
        if tries > 1:
            threading.Timer(1, _report, [url, fields, token, tries - 1]).start()


def _read_by_browser(body: bytes) -> str:
    """What the push says, which nobody on the way could read (RFC 8291)."""
    salt, length = body[:16], body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    shared = _BROWSER.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    key, nonce = content_keys(shared, _SHARED, salt, receiver=public_key_of(_BROWSER), sender=sender)
    return AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\x02").decode()


if __name__ == "__main__":
    Receiver(int(sys.argv[1]), Path(sys.argv[2]), Carrier).serve_forever()
