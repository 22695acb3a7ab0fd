"""The answers of steps: where their payloads lie, and a run's data with them. Runs inside the caller's tenant scope."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from signals_app.services.payloads import canonical, load_payloads, write_payloads
from tenants.sql import arrays, execute, fetch, insert
from workflows.engine.facts import STEPS, Answer
from workflows.errors import RunDataGone

_ANSWER = {
    "run_id": "bigint",
    "name": "text",
    "step": "text",
    "visit": "int",
    "payload_sha": "bytea",
    "answered_at": "timestamptz",
}
_WRITE = insert(
    "workflows_answer",
    _ANSWER,
    "ON CONFLICT (tenant_id, run_id, name) DO UPDATE SET step = excluded.step, visit = excluded.visit, "
    "payload_sha = excluded.payload_sha, answered_at = excluded.answered_at",
)
_READ = """
SELECT run_id, name, payload_sha FROM workflows_answer
 WHERE tenant_id = %s AND run_id = ANY(%s) AND payload_sha IS NOT NULL
"""
_READ_OF_ONE = "SELECT name, payload_sha FROM workflows_answer WHERE tenant_id = %s AND run_id = %s"
_START = "SELECT data_sha FROM workflows_run WHERE tenant_id = %s AND id = %s"
GONE = b""
"""Where data lie that were erased, or that an import came without: nowhere. None means that there never were any."""

Addresses = Mapping[int, Mapping[str, bytes]]
"""By run id and name, where the payload of each answer lies."""


def answer_name(step: Mapping[str, Any]) -> str:
    """Under which name a step brings something back: its `answer`, or what `steps.<key>` stands for."""
    return str(step["answer"]) if "answer" in step else f"{STEPS}{step['key']}"


def store_answer(tenant_id: int, name: str, value: Mapping[str, Any]) -> Answer:
    """Write the payload of an answer; what the engine is told of it."""
    text = canonical(dict(value))
    return Answer(name, write_payloads(tenant_id=tenant_id, texts=[text])[text], value)


def write_answers(tenant_id: int, answers: Sequence[tuple[int, str, int, Answer]], now: datetime) -> None:
    """Note answers, given as (run id, step, visit, answer), whose payloads are written. The last of a name counts."""
    last = {(run_id, one.name): (step, visit, one.payload, now) for run_id, step, visit, one in answers}
    execute(_WRITE, [tenant_id, *arrays([(*name, *told) for name, told in last.items()], _ANSWER)])


def addresses_of(tenant_id: int, run_ids: Iterable[int]) -> Addresses:
    """Where the answers of these runs lie."""
    found: dict[int, dict[str, bytes]] = {}
    for run_id, name, payload in fetch(_READ, [tenant_id, list(run_ids)]):
        found.setdefault(run_id, {})[name] = bytes(payload)
    return found


def merged(start: Any, answers: Mapping[str, bytes], payloads: Mapping[bytes, Any]) -> Any:
    """The data of a run: what it started with, and under its name what each step answered."""
    values = {name: payloads[address] for name, address in answers.items() if address in payloads}
    return {**(start or {}), **values} if values else start


def data_of(tenant_id: int, run_id: int, start: bytes | memoryview | None) -> Any:
    """The data of one run whose start data lie at `start`, with its answers; an empty mapping when it has none.

    Raises `RunDataGone` when any of it is not kept any more: what is missing must not pass for empty.
    """
    rows = fetch(_READ_OF_ONE, [tenant_id, run_id])
    answers = {name: GONE if address is None else bytes(address) for name, address in rows}
    wanted = {*answers.values(), *([bytes(start)] if start is not None else [])}
    payloads = load_payloads(tenant_id, wanted) if wanted else {}
    if wanted - payloads.keys():
        raise RunDataGone
    return merged(payloads[bytes(start)] if start is not None else {}, answers, payloads)


def is_data_gone(tenant_id: int, run_id: int) -> bool:
    """Whether nothing may be sent for a run any more, because nobody knows with what."""
    [(start,)] = fetch(_START, [tenant_id, run_id])
    try:
        data_of(tenant_id, run_id, start)
    except RunDataGone:
        return True
    return False
