"""Requests made from the OpenAPI document, good and bad: the answers are those that the document tells of.

Each operation is asked with data that fits the document, with data that does not, and with a good body that is wrong in
one place; with a key of every scope, with a narrow one, and with none. What is refused writes nothing. `FUZZ_EXAMPLES`
makes it longer and `FUZZ_SEED` begins elsewhere.
"""

import json
import os
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as rounds
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.bent import TEXTS, bent
from tests.fuzz.targets import FOUND, OPERATIONS, Owner, Owners, good_bodies

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
LONG = "FUZZ_EXAMPLES" in os.environ
SEED = int(os.environ.get("FUZZ_SEED", "20"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


REFUSAL = {"code", "message", "detail", "request_id"}


@pytest.fixture(scope="module")
def owners() -> Owners:
    """Whose objects are asked for."""
    return Owners(each=LONG)


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_in_the_document(label: str, owners: Owners) -> None:
    operation = FOUND[label]
    owner = owners.of(operation)
    needs_key = bool(operation.definition.raw.get("security"))

    @seed(SEED)
    @rounds(
        max_examples=EXAMPLES + 1,  # the first is the simplest of all, and each operation would get the same
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def every_kind(data: st.DataObject) -> None:
        if data.draw(st.integers(0, 1000)) == 0:
            return
        first, unfit, nearly = (data.draw(strategy) for strategy in cases(operation, owner))
        ask(first, owner.key)
        watch(unfit, owner)
        watch(nearly, owner) if LONG else ask(nearly, owner.key)
        ask(first, owner.narrow_key)
        assert ask(first, "cw_nobody").status_code in (401, 404) or not needs_key  # 404: no such address for anybody

    every_kind()


def watch(case: Case, owner: Owner) -> None:
    """Ask, and see that a refusal wrote nothing."""
    before = owner.rows()
    if ask(case, owner.key).status_code >= 400:
        assert owner.rows() == before


def cases(operation: APIOperation, owner: Owner) -> list[st.SearchStrategy[Case]]:
    """Data that fits the document, data that does not, and data that nearly does, for objects that are there."""
    named = {name: value for name, value in owner.names.items() if f"{{{name}}}" in operation.path}
    fits = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    unfit = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    bodies, asked = good_bodies(operation), {one.name: st.sampled_from(TEXTS) for one in operation.query}
    nearly = st.builds(
        operation.Case,
        path_parameters=st.just(named),
        query=st.fixed_dictionaries({}, optional=asked),
        **({"body": bent(bodies), "media_type": st.just("application/json")} if bodies else {}),
    )
    return [st.builds(_about, fits, st.just(named)), unfit, nearly]


def _about(case: Case, named: dict[str, Any]) -> Case:
    case.path_parameters = {**(case.path_parameters or {}), **named}
    return case


def ask(case: Case, key: str) -> Response:
    """The answer to one request, which is one that the document tells of, and a refusal of our shape."""
    if case.operation.query.get("seconds"):
        case.query = {**(case.query or {}), "seconds": "0"}  # a stream stays open that long
    response = case.call(headers={"Authorization": f"Bearer {key}"})
    streams = response.headers.get("content-type", [""])[0].startswith("text/event-stream")
    case.validate_response(response, checks=CHECKS[:-1] if streams else CHECKS)  # events are text to the document
    if response.status_code >= 400:
        assert json.loads(response.content).keys() == REFUSAL
    return response
