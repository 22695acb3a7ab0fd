"""Requests signed as AWS asks (Signature Version 4)."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

SERVICE = "ses"


def signed(
    url: str,
    content: bytes,
    region: str,
    credentials: Mapping[str, str],
    *,
    now: datetime | None = None,
    service: str = SERVICE,
) -> dict[str, str]:
    """The headers of a POST with a JSON body. The path is plain, and there is no query."""
    parts = urlsplit(url)
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/json", "host": parts.netloc, "x-amz-date": moment}
    names = ";".join(headers)
    lines = [f"{name}:{value}" for name, value in headers.items()]
    request = "\n".join(["POST", parts.path or "/", "", *lines, "", names, hashlib.sha256(content).hexdigest()])
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + credentials["secret_access_key"].encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, to_sign).hex()
    named = f"Credential={credentials['access_key_id']}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {named}"}


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
