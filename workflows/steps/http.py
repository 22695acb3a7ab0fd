"""The `http` step: one call out, its answer part of the run's data from then on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from chimeway_py.errors import fault
from chimeway_py.outbound.guard import AddressRefused, check_url
from chimeway_py.rendering import TemplateFault, check_source
from tenants.services.secrets import secret_exists
from workflows.definitions.durations import parse_duration
from workflows.definitions.paths import RUN_ROOTS, path_fault
from workflows.services.http_call import PLACE, perform_call
from workflows.steps import sources
from workflows.steps.base import TRIES, CheckContext, Claim, Fault, Outcome, PlannedStep, WorkKind

LONGEST, SHORTEST = timedelta(seconds=30), timedelta(milliseconds=100)
_HOST = re.compile(r"https?://[^/?#{}]+([/?#].*)?", re.DOTALL)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_CONNECTION = {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
OURS = frozenset(_CONNECTION) | {
    "accept-encoding",
    "idempotency-key",
    "proxy-authorization",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
}
"""Headers that a definition may not set: the call sets them itself, or they belong to the connection."""
_KEY = {"$ref": "#/$defs/key"}
_VALUES = {
    "type": "object",
    "propertyNames": {"type": "string", "minLength": 1, "maxLength": 64},
    "additionalProperties": sources.SOURCE,
    "maxProperties": 50,
}
_SECRET = {
    "type": "object",
    "properties": {"secret": _KEY, "prefix": {"type": "string", "maxLength": 40}},
    "required": ["secret"],
    "additionalProperties": False,
}
_HEADER_VALUE = {
    "description": "a path, {const: <text>}, or {secret: <key>} of a stored secret",
    "oneOf": [*sources.SOURCE["oneOf"], _SECRET],
}


class HttpStep(WorkKind):
    """Sends one request through the guard: no redirects, no private addresses, bounded in time and size."""

    name = "http"
    may_compensate = True
    outcomes = frozenset({"succeeded", "temporary_failure", "retries_exhausted", "permanent_failure", "unknown"})
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
            "url": {
                "type": "string",
                "maxLength": 2000,
                "description": "an http or https address; {{ data.x }} after the host stands for a value",
            },
            "headers": {
                "type": "object",
                "propertyNames": {"type": "string", "minLength": 1, "maxLength": 64},
                "additionalProperties": _HEADER_VALUE,
                "maxProperties": 20,
            },
            "body": {
                "description": "what is sent as JSON: a path, or names each with a path or {const: <text>}",
                "oneOf": [{"$ref": "#/$defs/path"}, _VALUES],
            },
            "text": {"type": "string", "maxLength": 32768, "description": "what is sent as text: a Liquid template"},
            "sign": {**_KEY, "description": "the key of a stored secret that signs as Standard Webhooks says"},
            "timeout": {"$ref": "#/$defs/duration"},
            "expect": {
                "type": "array",
                "description": "the statuses that count as success; every 2xx when left out",
                "items": {"type": "integer", "minimum": 200, "maximum": 599},
                "minItems": 1,
                "maxItems": 20,
                "uniqueItems": True,
            },
            "answer": {**_KEY, "description": "the answer, a JSON object, becomes data.<this name>"},
            **TRIES,
        },
        "required": ["url"],
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Faults of the address, the values, the template, and of what may not stand together."""
        yield from _check_url(step["url"], f"{path}/url", context)
        yield from _check_headers(step.get("headers", {}), f"{path}/headers", context)
        yield from _check_body(step, path, context)
        yield from _check_timeout(step, path)
        yield from check_answer(step, path, context)
        if "sign" in step:
            yield from _check_secret(step["sign"], f"{path}/sign", context)

    def plan(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """Nothing besides the step run itself."""
        return {}

    def perform(self, claim: Claim) -> Outcome:
        """Call once, outside any transaction."""
        return perform_call(claim=claim)

    def settle(self, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
        """Nothing besides the attempt itself."""


def check_answer(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    """The fault of an answer that would hide what runs of this definition start with."""
    declared = context.document.get("data_schema")
    properties = declared.get("properties") if isinstance(declared, Mapping) else None
    if isinstance(properties, Mapping) and step.get("answer") in properties:
        message = f"Runs start with data.{step['answer']}; choose another name for the answer."
        yield fault(f"{path}/answer", "conflict", message)


def _check_url(url: str, path: str, context: CheckContext) -> Iterator[Fault]:
    if not url.isascii() or not url.isprintable() or " " in PLACE.sub("", url):
        yield fault(path, "url", "Write the address in printable ASCII without spaces.")
        return
    if not _HOST.fullmatch(url):
        yield fault(path, "url", "An address starts with http:// or https:// and a host that holds no {{ }}.")
        return
    try:
        check_url(PLACE.sub("x", url))
    except AddressRefused as error:
        yield fault(path, error.code, error.message)
    for source in PLACE.findall(url):
        if wrong := path_fault(source, RUN_ROOTS, context.correlation_names):
            yield fault(path, "path", f"{{{{ {source} }}}}: {wrong}")
    if "{{" in PLACE.sub("", url) or "}}" in PLACE.sub("", url):
        yield fault(path, "url", "Every {{ needs a path and its }}.")


def _check_headers(headers: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            yield fault(f"{path}/{name}", "header", "A header's name is 1 to 64 letters, digits and hyphens.")
        elif name.lower() in OURS:
            yield fault(f"{path}/{name}", "header", f"{name} is set by the call itself.")
        if isinstance(value, Mapping) and "secret" in value:
            yield from _check_secret(value["secret"], f"{path}/{name}/secret", context)
        else:
            yield from sources.check_source(value, f"{path}/{name}", context)


def _check_body(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    if "body" in step and "text" in step:
        yield fault(f"{path}/text", "conflict", "A call sends either `body` or `text`, not both.")
    for name in ("body", "text"):
        if name in step and step.get("method", "POST") in ("GET", "DELETE"):
            yield fault(f"{path}/{name}", "conflict", f"A {step['method']} sends nothing.")
    body = step.get("body")
    if isinstance(body, Mapping):
        for name, source in body.items():
            yield from sources.check_source(source, f"{path}/body/{name}", context)
    else:
        yield from sources.check_source(body, f"{path}/body", context)
    try:
        check_source(step.get("text", ""))
    except TemplateFault as error:
        yield fault(f"{path}/text", error.code, error.message)


def _check_timeout(step: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if "timeout" in step and not SHORTEST <= parse_duration(step["timeout"]) <= LONGEST:
        yield fault(f"{path}/timeout", "duration", "From PT0.1S to PT30S.")


def _check_secret(key: str, path: str, context: CheckContext) -> Iterator[Fault]:
    if context.tenant_id is not None and not secret_exists(tenant_id=context.tenant_id, key=key):
        yield fault(path, "unknown_secret", f"There is no secret {key!r}.")
