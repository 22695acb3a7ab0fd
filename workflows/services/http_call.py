"""Calling out for an `http` step: read what it needs in a short transaction, then call outside of any."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from chimeway_py.api.json_gate import read_json
from chimeway_py.errors import ChimewayError, Invalid
from chimeway_py.outbound.call import Called, call
from chimeway_py.outbound.client import MAX_ANSWER_BYTES, TOTAL_SECONDS, Answer
from chimeway_py.outbound.signing import USER_AGENT, signed_headers, webhook_id
from chimeway_py.rendering import TemplateFault, render
from tenants.scope import tenant_scope
from tenants.services.secrets import secret_values
from workflows.definitions.durations import parse_duration
from workflows.errors import RunDataGone
from workflows.models import Run
from workflows.steps.base import Claim, Outcome
from workflows.steps.sources import Facts, facts_of, text_of, value_of
from workflows.store.answers import data_of

PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
"""A value in an address: {{ data.customer_id }}."""
_LONGEST_URL = 8000


class _Unusable(ChimewayError):
    """No request can be made of what the run has, or nothing of the answer. The message holds names, never values."""

    code = "unusable"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to go out."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: str
    seconds: float


def perform_call(*, claim: Claim) -> Outcome:
    """Try once to make the call that the claimed step run owes. Expected failures are outcomes."""
    try:
        with tenant_scope(claim.tenant_id):
            asked = _request(claim, _facts(claim))
    except RunDataGone as gone:
        return Outcome("permanent_failure", gone.code)
    except (_Unusable, TemplateFault) as error:
        return Outcome("permanent_failure", error.message[:200])
    content = asked.content.encode()
    called = call(asked.method, asked.url, content=content, headers=asked.headers, total_seconds=asked.seconds)
    return outcome_of(claim.step, called)


def outcome_of(step: Mapping[str, Any], called: Called) -> Outcome:
    """What the answer to a call means for its step."""
    status = called.answer.status if called.answer else None
    context = {"status": status} if status is not None else {}
    expected = step.get("expect")
    succeeded = status in expected if expected else status is not None and 200 <= status < 300
    if succeeded:
        return _succeeded(step, called, context)
    if called.retryable:
        wait, maybe = called.retry_after, called.maybe_done
        return Outcome("temporary_failure", called.error, True, wait, context, maybe_done=maybe)
    return Outcome("permanent_failure", called.error or f"http {status}", context=context, maybe_done=called.maybe_done)


def _succeeded(step: Mapping[str, Any], called: Called, context: Mapping[str, Any]) -> Outcome:
    """It took effect, whatever the answer is worth."""
    if "answer" not in step:
        return Outcome("succeeded", context=context)
    assert called.answer is not None
    try:
        return Outcome("succeeded", context=context, answer=_read(called.answer))
    except _Unusable as error:
        return Outcome("permanent_failure", error.message, context=context, maybe_done=True)


def _read(answer: Answer) -> Mapping[str, Any]:
    """The JSON object in an answer; an empty one for an empty body. Raises `_Unusable`."""
    if len(answer.body) >= MAX_ANSWER_BYTES:
        raise _Unusable("answer too large")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise _Unusable("answer compressed")
    try:
        return read_json(answer.body) if answer.body.strip() else {}
    except Invalid as error:
        codes = [str(one["code"]) for one in error.detail if isinstance(one, Mapping)]
        raise _Unusable(f"answer {(codes or [error.code])[0]}") from None


def _request(claim: Claim, facts: Facts) -> Request:
    step = claim.step
    content, kind = _content(step, facts)
    seconds = parse_duration(step["timeout"]).total_seconds() if "timeout" in step else TOTAL_SECONDS
    return Request(
        step.get("method", "POST"), _url(step["url"], facts), _headers(claim, content, kind, facts), content, seconds
    )


def _headers(claim: Claim, content: str, kind: str, facts: Facts) -> dict[str, str]:
    """What the definition sets, over what we set by default, under what is not for it to set."""
    tenant_id, step = claim.tenant_id, claim.step
    headers = {"accept": "application/json"} | ({"content-type": kind} if kind else {})
    headers |= {name.lower(): _header(tenant_id, name, value, facts) for name, value in step.get("headers", {}).items()}
    if "sign" in step:
        signed = signed_headers(_secrets(tenant_id, step["sign"]), webhook_id(claim.key), content, datetime.now(UTC))
        headers |= {name: value for name, value in signed.items() if name.startswith("webhook-")}
    # identity: what arrives compressed cannot be bounded before it is unpacked
    return headers | {"accept-encoding": "identity", "idempotency-key": claim.key, "user-agent": USER_AGENT}


def _url(template: str, facts: Facts) -> str:
    """The address with every value percent-encoded, so that no value can lead to another place."""

    def value(found: re.Match[str]) -> str:
        text = text_of(found[1], facts)
        if not text:
            raise _Unusable(f"no value: {found[1]}")
        if text in (".", ".."):
            raise _Unusable(f"value not usable in an address: {found[1]}")
        return quote(text, safe="")

    url = PLACE.sub(value, template)
    if len(url) > _LONGEST_URL:
        raise _Unusable("address too long")
    return url


def _content(step: Mapping[str, Any], facts: Facts) -> tuple[str, str]:
    """The body and its type; both empty for a call that sends nothing."""
    if "text" in step:
        return render(step["text"], facts), "text/plain; charset=utf-8"
    if "body" not in step:
        return "", ""
    body = step["body"]
    if isinstance(body, Mapping):
        whole: Any = {name: value_of(source, facts) for name, source in body.items()}
    else:
        whole = value_of(body, facts)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")), "application/json"


def _header(tenant_id: int, name: str, value: Any, facts: Facts) -> str:
    if isinstance(value, Mapping) and "secret" in value:
        return f"{value.get('prefix', '')}{_secrets(tenant_id, value['secret'])[0]}"
    text = text_of(value, facts)
    if not text.isprintable() or not text.isascii():
        raise _Unusable(f"value not usable in a header: {name}")
    return text


def _secrets(tenant_id: int, key: str) -> list[str]:
    values = secret_values(tenant_id=tenant_id, key=key)
    if not values:
        raise _Unusable(f"no secret: {key}")
    return values


def _facts(claim: Claim) -> Facts:
    assert claim.run_id is not None
    run = Run.objects.for_tenant(claim.tenant_id).get(id=claim.run_id)
    return facts_of(
        run_public_id=str(run.public_id),
        subject=run.subject,
        correlation=run.correlation,
        definition_key=run.definition_key,
        data=data_of(run.tenant_id, run.pk, run.data_sha),
    )
