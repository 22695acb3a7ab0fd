"""The `http` step against a real receiver: what goes out, what the answer means, and where it goes."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from signals_app.models import Payload
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tenants.services.secrets import delete_secret, put_secret
from tests.journeys import drain, moves_of, publish, reasons_of, run_of, start
from tests.steps.owing import attempts, key_of, make_due
from workflows.models import Answer, Run, Transition
from workflows.services.control import pause_runs, resume_runs
from workflows.services.turn import work_turn
from workflows.services.work import claim_work, finish_work, perform
from workflows.states import Cause
from workflows.store.answers import data_of
from workflows.verify import verify_trace

CANARY = "canary-of-a-payload-81c2"


@pytest.fixture(autouse=True)
def _receiver_is_nearby(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]


@pytest.fixture
def walk(tenant: Tenant, httpserver: HTTPServer) -> Callable[..., Run]:
    """`walk({url: "/path", …}, *more)` publishes the step, starts a run with the data and does all work that is due."""

    def run(step: dict[str, Any], *more: dict[str, Any], data: dict[str, Any] | None = None, **given: Any) -> Run:
        call = {"key": "call", "kind": "http", **step, "url": httpserver.url_for("").rstrip("/") + step["url"]}
        publish(tenant, {"key": "calling", "correlation": ["order"], "steps": [call, *more]})
        run_id = start(tenant, "calling", data=data or {}, **given)
        drain(tenant)
        work_turn(tenant_id=tenant.pk)
        drain(tenant)
        return run_of(tenant, run_id)

    return run


def data_now(run: Run) -> Any:
    with tenant_scope(run.tenant_id):
        return data_of(run.tenant_id, run.pk, run.data_sha)


def outcome_of(run: Run) -> tuple[str, Any]:
    """The outcome and the error that the trace tells of the call."""
    with tenant_scope(run.tenant_id):
        told = Transition.objects.filter(tenant_id=run.tenant_id, run=run, reason="step_settled").latest("seq").context
    return told["outcome"], told.get("error", "")


def test_a_call_goes_out_with_the_effect_key_and_the_run_goes_on(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/orders/o/1", method="PUT").respond_with_data("", 204)

    run = walk(
        {
            "url": "/orders/{{ data.order.id }}?who={{run.subject}}",
            "method": "PUT",
            "headers": {"X-Plan": {"const": "gold"}, "X-Order": "run.correlation.order"},
            "body": {"order": "data.order", "kind": {"const": "renewal"}},
        },
        data={"order": {"id": "o/1", "total": 12.5, "note": "é"}},
        subject="ada&x=1",
        correlation={"order": "17"},
    )

    ((request, _),) = httpserver.log
    assert run.state == "completed"
    assert request.environ["RAW_URI"] == "/orders/o%2F1?who=ada%26x%3D1"
    assert (request.headers["X-Plan"], request.headers["X-Order"]) == ("gold", "17")
    assert request.headers["Idempotency-Key"] == key_of(tenant, run.pk)
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.data) == {"order": {"id": "o/1", "total": 12.5, "note": "é"}, "kind": "renewal"}


def test_the_answer_is_part_of_the_runs_data_for_conditions_templates_and_later_calls(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/score").respond_with_json({"score": 71, "ref": "r-9", "note": CANARY})
    httpserver.expect_request("/refs/r-9").respond_with_data("")

    run = walk(
        {"url": "/score", "answer": "credit"},
        {
            "key": "judge",
            "kind": "branch",
            "when": [{"if": {"path": "data.credit.score", "gt": 70}, "then": "next"}],
            "else": "complete",
        },
        {
            "key": "tell",
            "kind": "http",
            "url": f"{base}/refs/{{{{ data.credit.ref }}}}",
            "text": "{{ data.credit.note }} for {{ data.who }}",
        },
        data={"who": "ada"},
    )
    work_turn(tenant_id=tenant.pk)

    assert run_of(tenant, run.pk).state == "completed"
    assert data_now(run) == {"who": "ada", "credit": {"score": 71, "ref": "r-9", "note": CANARY}}
    told = httpserver.log[1][0]
    assert (told.path, told.data.decode()) == ("/refs/r-9", f"{CANARY} for ada")
    assert told.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_the_trace_keeps_where_the_answer_lies_and_nothing_of_it(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/x").respond_with_json({"note": CANARY})

    run = walk({"url": "/x", "answer": "found"})

    with tenant_scope(tenant.pk):
        contexts = list(Transition.objects.filter(tenant_id=tenant.pk, run=run).values_list("context", flat=True))
        answer = Answer.objects.get(tenant_id=tenant.pk, run=run)
        assert Payload.objects.filter(tenant_id=tenant.pk, address=bytes(answer.payload_sha)).count() == 1
    assert {"name": "found", "payload": bytes(answer.payload_sha).hex()} in [one.get("answer") for one in contexts]
    assert CANARY not in str(contexts)
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_loop_keeps_the_latest_answer(walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer) -> None:
    answers = iter([{"state": "open"}, {"state": "done"}])
    httpserver.expect_request("/state").respond_with_handler(lambda request: Response(json.dumps(next(answers))))
    again = {"if": {"path": "data.job.state", "eq": "open"}, "then": "next"}

    run = walk(
        {"url": "/state", "answer": "job"},
        {"key": "judge", "kind": "branch", "when": [again], "else": "complete"},
        {"key": "rest", "kind": "wait", "for": "PT1H", "on_timeout": {"goto": "call"}},
    )
    assert (run.state, data_now(run)) == ("waiting", {"job": {"state": "open"}})
    drain(tenant, now=database_now() + timedelta(hours=2))
    make_due(tenant)
    work_turn(tenant_id=tenant.pk)

    assert (run_of(tenant, run.pk).state, data_now(run)) == ("completed", {"job": {"state": "done"}})


MEANINGS = [
    (200, {}, "succeeded", ""),
    (204, {}, "succeeded", ""),
    (302, {}, "permanent_failure", "http 302"),
    (404, {}, "permanent_failure", "http 404"),
    (410, {}, "permanent_failure", "http 410"),
    (404, {"expect": [200, 404]}, "succeeded", ""),
    (503, {"expect": [503]}, "succeeded", ""),
    (201, {"expect": [200]}, "permanent_failure", "http 201"),
    (503, {"retry": {"max_attempts": 1}}, "retries_exhausted", "http 503"),
    (500, {"on_outcome": {"temporary_failure": "complete"}}, "temporary_failure", "http 500"),
]


@pytest.mark.parametrize(("status", "step", "word", "error"), MEANINGS)
def test_what_a_status_means(
    status: int, step: dict[str, Any], word: str, error: str, walk: Callable[..., Run], httpserver: HTTPServer
) -> None:
    elsewhere = {"Location": httpserver.url_for("/elsewhere")}
    httpserver.expect_request("/x").respond_with_data("", status, headers=elsewhere)

    run = walk({"url": "/x", **step})

    assert outcome_of(run) == (word, error)
    assert [request.path for request, _ in httpserver.log] == ["/x"]


def test_a_rule_takes_the_run_where_its_outcome_leads(walk: Callable[..., Run], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("no such order", 422)

    run = walk({"url": "/x", "on_outcome": {"permanent_failure": {"stop": "order_refused"}}})

    assert (run.state, run.terminal_reason) == ("stopped", "order_refused")


def test_a_temporary_failure_is_tried_again_under_the_same_key_and_as_late_as_asked(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    answers = iter([Response(status=503, headers={"Retry-After": "600"}), Response(status=200)])
    httpserver.expect_request("/x").respond_with_handler(lambda request: next(answers))

    run = walk({"url": "/x", "retry": {"max_attempts": 3, "backoff": "none", "initial": "PT1S"}})
    assert (run.state, reasons_of(tenant, run.pk)[-1]) == ("active", "retry_scheduled")
    make_due(tenant)
    work_turn(tenant_id=tenant.pk)

    (first, _), (second, _) = httpserver.log
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert run_of(tenant, run.pk).state == "completed"
    assert attempts(tenant)[0] == (1, "finished", "temporary_failure", "http 503")


def test_a_call_that_got_no_answer_is_not_made_twice_where_it_must_not(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/pay").respond_with_data("", 502)

    run = walk({"url": "/pay", "at_most_once": True})
    make_due(tenant)
    work_turn(tenant_id=tenant.pk)

    assert (run.status_reason, len(httpserver.log)) == ("unknown_outcome", 1)


ANSWERS = [
    ("not json", {}, "answer not_json"),
    ("[1, 2]", {}, "answer not_an_object"),
    ('{"a": ' + "[" * 40 + "]" * 40 + "}", {}, "answer too_deep"),
    ('{"a": NaN}', {}, "answer not_finite"),
    ('{"a": "\\u0000"}', {}, "answer"),
    ('{"a": 1, "a": 2}', {}, "answer"),
    ('{"a": "' + "x" * 70_000 + '"}', {}, "answer too large"),
    ("{}", {"Content-Encoding": "gzip"}, "answer compressed"),
]


@pytest.mark.parametrize(("body", "headers", "error"), ANSWERS)
def test_an_answer_that_cannot_be_used_is_a_permanent_failure(
    body: str, headers: dict[str, str], error: str, walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/x").respond_with_data(body, 200, headers=headers, content_type="application/json")

    run = walk({"url": "/x", "answer": "found"})

    word, told = outcome_of(run)
    assert (word, told.startswith(error)) == ("permanent_failure", True), told
    assert data_now(run) == {}


def test_an_empty_answer_is_an_empty_object(walk: Callable[..., Run], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("", 204)

    assert data_now(walk({"url": "/x", "answer": "found"})) == {"found": {}}


def test_secrets_go_out_and_are_kept_nowhere(walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("")
    put_secret(tenant_id=tenant.pk, key="crm", value="token-5d1f")
    signing = put_secret(tenant_id=tenant.pk, key="sign").made

    run = walk(
        {
            "url": "/x",
            "headers": {"Authorization": {"secret": "crm", "prefix": "Bearer "}},
            "sign": "sign",
            "body": "data.order",
        },
        data={"order": {"id": 7}},
    )

    request = httpserver.log[0][0]
    assert request.headers["Authorization"] == "Bearer token-5d1f"
    assert Webhook(signing).verify(request.data, dict(request.headers)) == {"id": 7}
    assert "token-5d1f" not in str(moves_of(tenant, run.pk)) + str(attempts(tenant))


IMPOSSIBLE = [
    ({"url": "/x/{{ data.id }}"}, {}, "no value: data.id"),
    ({"url": "/x/{{ data.id }}"}, {"id": ".."}, "value not usable in an address: data.id"),
    ({"url": "/x/{{ data.id }}"}, {"id": {"a": 1}}, "no value: data.id"),
    (
        {"url": "/x", "headers": {"X-Name": "data.name"}},
        {"name": "a\r\nX-Evil: 1"},
        "value not usable in a header: X-Name",
    ),
    ({"url": "/x", "headers": {"X-Name": "data.name"}}, {"name": "é"}, "value not usable in a header: X-Name"),
    ({"url": "/x", "text": "{{ data.gone }}"}, {}, "undefined variable: data.gone"),
]


@pytest.mark.parametrize(("step", "data", "error"), IMPOSSIBLE)
def test_what_cannot_be_sent_fails_once_and_sends_nothing(
    step: dict[str, Any],
    data: dict[str, Any],
    error: str,
    walk: Callable[..., Run],
    tenant: Tenant,
    httpserver: HTTPServer,
) -> None:
    run = walk(step, data=data)

    assert outcome_of(run) == ("permanent_failure", error)
    assert (len(attempts(tenant)), httpserver.log) == (1, [])


def test_a_secret_that_was_forgotten_fails_and_names_it(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/x").respond_with_data("")
    put_secret(tenant_id=tenant.pk, key="crm", value="token")
    walk({"url": "/x", "headers": {"Authorization": {"secret": "crm"}}})
    delete_secret(tenant_id=tenant.pk, key="crm")

    run_id = start(tenant, "calling")
    drain(tenant)
    work_turn(tenant_id=tenant.pk)

    assert outcome_of(run_of(tenant, run_id)) == ("permanent_failure", "no secret: crm")


def test_an_address_that_turns_out_private_is_refused_without_a_packet(
    walk: Callable[..., Run], settings: Any, httpserver: HTTPServer, tenant: Tenant
) -> None:
    # stored as a name; only its answer, at the moment of calling, is refused
    publish(
        tenant,
        {"key": "near", "steps": [{"key": "call", "kind": "http", "url": f"http://localhost:{httpserver.port}/x"}]},
    )
    settings.OUTBOUND_ALLOWED_NETWORKS = []

    run_id = start(tenant, "near")
    drain(tenant)
    work_turn(tenant_id=tenant.pk)

    assert outcome_of(run_of(tenant, run_id)) == ("permanent_failure", "address refused: loopback")
    assert httpserver.log == []


def test_a_receiver_that_hangs_is_left_after_the_timeout(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    def hang(request: Request) -> Response:
        time.sleep(1)
        return Response()

    httpserver.expect_request("/x").respond_with_handler(hang)

    run = walk({"url": "/x", "timeout": "PT0.2S"})

    assert (run.state, attempts(tenant)[0][2:]) == ("active", ("temporary_failure", "network ReadTimeout"))


def test_a_later_answer_while_paused_counts_when_the_run_goes_on(
    walk: Callable[..., Run], tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/x").respond_with_json({"ok": True})
    base = httpserver.url_for("").rstrip("/")
    yes = {"if": {"path": "data.found.ok", "eq": True}, "then": {"stop": "found"}}
    steps = [
        {"key": "call", "kind": "http", "url": f"{base}/x", "answer": "found"},
        {"key": "judge", "kind": "branch", "when": [yes]},
    ]
    publish(tenant, {"key": "held", "steps": steps})
    run_id = start(tenant, "held")
    drain(tenant)
    claim = claim_work(tenant_id=tenant.pk, worker="w")
    assert claim is not None
    who: dict[str, Any] = {
        "public_ids": [run_of(tenant, run_id).public_id],
        "cause": Cause.API,
        "cause_ref": "",
        "reason": "r",
    }
    pause_runs(tenant_id=tenant.pk, **who)
    finish_work(claim=claim, outcome=perform(claim))
    assert run_of(tenant, run_id).state == "paused"

    resume_runs(tenant_id=tenant.pk, **who)
    drain(tenant)

    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).terminal_reason) == ("stopped", "found")
    assert list(verify_trace(tenant_id=tenant.pk)) == []
