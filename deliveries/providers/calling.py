"""What providers that speak HTTP have in common: one guarded request, and what its answer says."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from chimeway_py.outbound.call import Called, call
from chimeway_py.outbound.guard import AddressRefused, check_url
from chimeway_py.outbound.signing import USER_AGENT
from deliveries.providers.base import refused_address
from deliveries.states import DeliveryStatus
from workflows.steps.base import Fault, Outcome

_OF_THE_ACCOUNT = frozenset({401, 402, 403, 404, 405, 407})
"""Statuses that speak of the account and not of the message: the next provider may well take it."""


def post_json(url: str, body: Any, headers: Mapping[str, str]) -> Called:
    """Post an object as JSON."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return _post(url, content, {"content-type": "application/json; charset=utf-8", **headers})


def post_form(url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Called:
    """Post fields of a form."""
    return _post(url, urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded", **headers})


def outcome_of(called: Called, ref: str = "") -> Outcome:
    """What became of a message, by what the call came to."""
    if not called.error:
        return Outcome(DeliveryStatus.DELIVERED, context={"provider_ref": ref} if ref else {})
    return failed(called.error, status=called.answer.status if called.answer else 0, called=called)


def failed(error: str, *, status: int = 0, called: Called = Called()) -> Outcome:  # noqa: B008  frozen
    """The outcome of a call that did not do."""
    if called.retryable or status in _OF_THE_ACCOUNT:
        word = DeliveryStatus.TEMPORARY_FAILURE
        return Outcome(word, error, True, called.retry_after, maybe_done=called.maybe_done)
    if error.startswith(("address refused", "certificate", "malformed")):  # the account's, too
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, error, retryable=True)
    return Outcome(DeliveryStatus.PERMANENT_FAILURE, error)


def json_of(called: Called) -> Mapping[str, Any]:
    """The object that came back; an empty one when none did."""
    try:
        found = json.loads(called.answer.body) if called.answer else {}
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def url_faults(place: str, url: str) -> Iterator[Fault]:
    """The fault of a URL at `place` that is not one that we call, as far as its form tells."""
    try:
        check_url(url)
    except AddressRefused as error:
        yield refused_address(place, error.reason)


def _post(url: str, content: bytes, headers: Mapping[str, str]) -> Called:
    return call("POST", url, content=content, headers={"user-agent": USER_AGENT, **headers})
