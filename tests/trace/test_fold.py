"""Folding the trace gives the stored state, whatever journey the run took."""

import uuid
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import event as note

from deliveries.models import Delivery
from deliveries.services import record_bounce
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tenants.services import create_tenant
from tests.journeys import drain, publish, run_of, send, start
from workflows.definitions.validate import validate
from workflows.models import Run, Transition
from workflows.services.control import cancel_runs, wake_runs
from workflows.states import Cause
from workflows.trace import FoldedState, fold
from workflows.verify import verify_trace

SIGNALS = ("a", "b", "c")
KEYS = ("s0", "s1", "s2", "s3", "s4")
WAIT = {"key": "grace", "kind": "wait", "for": "P1D"}
LATER = WAIT | {"key": "later", "signals": [{"name": "b", "match": {"k": "run.correlation.k"}}]}


def targets(ahead: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Where a step may lead without a loop; mostly on, so that most documents have no unreachable step."""
    ends = st.sampled_from(["next", "next", "next", "complete", {"stop": "enough"}])
    return ends | st.sampled_from(ahead).map(lambda key: {"goto": key}) if ahead else ends


def branches(ahead: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    condition = st.fixed_dictionaries({"path": st.just("data.n"), "gte": st.integers(0, 9)})
    arm = st.fixed_dictionaries({"if": condition, "then": targets(ahead)})
    return st.fixed_dictionaries(
        {"kind": st.just("branch"), "when": st.lists(arm, min_size=1, max_size=2)}, optional={"else": targets(ahead)}
    )


def waits(ahead: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    anywhere = targets(KEYS[:2] + ahead)  # a wait may lead back
    rule = st.fixed_dictionaries(
        {"name": st.sampled_from(SIGNALS)},
        optional={
            "match": st.just({"k": "run.correlation.k"}),
            "when": st.just({"path": "signal.data.v", "gte": 5}),
            "then": anywhere,
        },
    )
    return st.fixed_dictionaries(
        {"kind": st.just("wait"), "for": st.sampled_from(["PT1H", "P1D"])},
        optional={
            "signals": st.lists(rule, min_size=1, max_size=3),
            "on_timeout": anywhere,
        },
    ).flatmap(
        lambda step: (
            st.just(step)
            if "signals" not in step
            else st.sampled_from(["since_run_start", "since_step", "none", "PT1H"]).map(
                lambda look_back: step | {"look_back": look_back}
            )
        )
    )


def deliveries(ahead: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    step = {"kind": st.just("deliver"), "channel": st.just("in_app"), "template": st.just("hello")}
    return st.fixed_dictionaries(step, optional={"on_outcome": st.fixed_dictionaries({"bounced": targets(ahead)})})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid definition of one to five steps."""
    keys = KEYS[: draw(st.integers(1, len(KEYS)))]
    steps = []
    for position, key in enumerate(keys):
        ahead = keys[position + 1 :]
        step = draw(st.one_of(waits(ahead), waits(ahead), branches(ahead), deliveries(ahead)))
        steps.append({"key": key, **step})
    document = {
        "key": "random",
        "correlation": ["k"],
        "templates": {"hello": {"title": "Hello", "text": "Hello"}},
        "steps": steps,
        **draw(st.sampled_from([{}, {"deadline": "P2D"}])),
    }
    assume(not validate(document))
    return document


signals = st.tuples(
    st.just("signal"), st.sampled_from(SIGNALS), st.sampled_from("1112"), st.integers(0, 9), st.sampled_from([0, 1, 1])
)
events = st.one_of(
    *[signals] * 5,
    st.just(("go on",)),
    st.tuples(st.just("hours pass"), st.sampled_from([1, 2, 25])),
    st.tuples(st.just("hours pass"), st.just(1)),
    st.just(("wake",)),
    st.just(("bounce",)),
    st.sampled_from([("bounce",), ("go on",), ("cancel",)]),
)


class Walk:
    """One run that random things happen to."""

    def __init__(self, tenant: Tenant, document: dict[str, Any], n: int) -> None:
        publish(tenant, document)
        self.tenant, self.now = tenant, database_now()
        self.run_id = start(tenant, "random", correlation={"k": "1"}, data={"n": n})

    def happen(self, event: tuple[Any, ...]) -> None:
        match event:
            case ("signal", name, k, v, is_routed):
                send(self.tenant, name, subject="ada", correlation={"k": k}, data={"v": v})
                if is_routed:
                    self.happen(("go on",))
            case ("hours pass", hours):
                self.now += timedelta(hours=hours)
                drain(self.tenant, now=self.now)
            case ("go on",):
                drain(self.tenant, now=max(self.now, database_now()))
            case ("wake",):
                wake_runs(**self._control())
            case ("cancel",):
                cancel_runs(**self._control())
            case ("bounce",):
                self._bounce()

    def _control(self) -> dict[str, Any]:
        public_ids = [run_of(self.tenant, self.run_id).public_id]
        return {
            "tenant_id": self.tenant.pk,
            "public_ids": public_ids,
            "cause": Cause.API,
            "cause_ref": "x",
            "reason": "random",
        }

    def _bounce(self) -> None:
        with tenant_scope(self.tenant.pk):
            found = Delivery.objects.filter(tenant_id=self.tenant.pk).order_by("-id").first()
        if found is not None:
            record_bounce(tenant_id=self.tenant.pk, delivery=found.public_id)

    def check(self) -> None:
        """Folded from the first line, and from any line on, it is the stored run; and the chain holds."""
        run, lines = self.stored()
        whole = fold(lines)
        middle = len(lines) // 2
        assert asdict(whole) == {name: getattr(run, name) for name in FoldedState.__dataclass_fields__}
        assert fold(lines[middle:], fold(lines[:middle])) == whole
        assert list(verify_trace(tenant_id=self.tenant.pk)) == []

    def stored(self) -> tuple[Run, list[Transition]]:
        with tenant_scope(self.tenant.pk):
            run = Run.objects.get(tenant_id=self.tenant.pk, pk=self.run_id)
            return run, list(run.transitions.in_order())


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(document=documents(), n=st.integers(0, 9), happenings=st.lists(events, min_size=5, max_size=15))
def test_folding_gives_the_stored_state(document: dict[str, Any], n: int, happenings: list[tuple[Any, ...]]) -> None:
    walk = Walk(create_tenant(slug=f"t-{uuid.uuid4().hex[:20]}"), document, n)
    walk.check()

    for event in happenings:
        walk.happen(event)
        walk.check()
    for line in walk.stored()[1]:
        note(line.reason)


def test_nothing_folds_to_nothing() -> None:
    assert fold([]) == FoldedState()


def test_a_note_leaves_the_status_alone(tenant: Tenant) -> None:
    walk = Walk(tenant, {"key": "random", "correlation": ["k"], "steps": [WAIT, LATER]}, 1)
    walk.happen(("go on",))
    walk.happen(("signal", "b", "1", 9, 0))
    walk.happen(("go on",))

    run, lines = walk.stored()

    assert (lines[-1].reason, run.status_reason, run.pending_signals) == ("signal_buffered", "wait_opened", 1)
    walk.check()
