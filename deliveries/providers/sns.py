"""What Amazon SNS posts: signed by a certificate of Amazon's, about a topic that has to be the account's own.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import json
import re
from collections.abc import Mapping
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from chimeway_py.errors import Invalid, fault
from chimeway_py.outbound.call import call
from chimeway_py.outbound.signing import USER_AGENT
from deliveries.providers.reports import BadSignature

_AMAZON = re.compile(r"https://sns\.[a-z0-9-]{1,30}\.amazonaws\.com(\.cn)?/[!-~]*")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303  as SNS signs


def verified(body: bytes, topic: str) -> Mapping[str, str]:
    """The post, if Amazon signed it and it is about this topic. Raises `BadSignature`, and `Invalid`."""
    try:
        said = json.loads(body)
        fields = {name: said[name] for name in _SIGNED[said["Type"]] if name in said}
        parts = said["TopicArn"], said["SigningCertURL"], said["SignatureVersion"], said["Signature"]
        signature = base64.b64decode(said["Signature"], validate=True)
    except (ValueError, LookupError, TypeError) as error:
        raise Invalid("The body is no report.", [fault("", "shape", "Not what SNS sends.")]) from error
    if not all(isinstance(one, str) for one in (*fields.values(), *parts)):
        raise Invalid("The body is no report.", [fault("", "shape", "Not what SNS sends.")])
    if said["TopicArn"] != topic or not is_amazon(said["SigningCertURL"]):
        raise BadSignature  # anybody may have a topic, and sign with Amazon's help
    content = "".join(f"{name}\n{value}\n" for name, value in fields.items()).encode()
    _verify(said["SigningCertURL"], said["SignatureVersion"], signature, content)
    return fields


def is_amazon(url: str) -> bool:
    """Whether an address is one of SNS itself."""
    return _AMAZON.fullmatch(url) is not None


def confirm(url: str) -> None:
    """Let SNS post to us from now on."""
    if is_amazon(url):
        call("GET", url, headers={"user-agent": USER_AGENT})


def _verify(url: str, version: str, signature: bytes, content: bytes) -> None:
    algorithm = _HASHES.get(version)
    certificate = certificate_at(url)
    if algorithm is None or certificate is None:
        raise BadSignature
    key = x509.load_pem_x509_certificate(certificate).public_key()
    try:
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(signature, content, padding.PKCS1v15(), algorithm)
    except (InvalidSignature, AssertionError):
        raise BadSignature from None


@lru_cache(maxsize=8)
def _kept(url: str) -> bytes:
    called = call("GET", url, headers={"user-agent": USER_AGENT})
    if called.error or called.answer is None:
        raise LookupError(url)  # not kept: it may be there the next time
    return called.answer.body


def certificate_at(url: str) -> bytes | None:
    """The certificate at an address of SNS, or None when it cannot be had now."""
    try:
        return _kept(url)
    except LookupError:
        return None
