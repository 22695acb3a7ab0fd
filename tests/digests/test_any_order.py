"""Whatever happens to the runs of digests, in any order: held against the rules once more, in a few lines."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from chimeway_py.errors import Conflict
from tenants.models import Tenant
from tests.digests.collecting import bring, close_all, collected_by, collecting, digests_of, items_of
from tests.digests.test_leaving import control
from tests.journeys import drain, run_of
from workflows.digests.closing import Asked
from workflows.digests.control import remove_item
from workflows.services.control import cancel_runs, pause_runs, resume_runs
from workflows.states import Cause
from workflows.verify import verify_trace

MOST = 3
which = st.integers(0, 9)
DEEDS = st.lists(
    st.tuples(st.just("bring"), st.sampled_from(["ada", "bob"]))
    | st.tuples(st.sampled_from(["cancel", "pause", "pause", "resume", "remove"]), which)
    | st.tuples(st.just("close"), st.none()),
    min_size=6,
    max_size=14,
)


@dataclass
class One:
    """A run. `told` is the state that it comes to once it goes on from the step."""

    id: int
    state: str = "active"
    told: str = ""

    def tell(self, state: str) -> None:
        self.told = state
        if self.state == "active":
            self.state = state


@dataclass
class Model:
    """What should be: by subject, the runs in each digest that is not closed, and what leaders went on with."""

    runs: list[One] = field(default_factory=list)
    collecting: dict[str, list[list[One]]] = field(default_factory=dict)
    led: dict[int, list[int]] = field(default_factory=dict)

    def bring(self, subject: str, run_id: int) -> None:
        one = One(run_id)
        self.runs.append(one)
        mine = self.collecting.setdefault(subject, [])
        if not mine or len(mine[-1]) >= MOST or getattr(mine[-1], "full", False):
            mine.append(Members())
        mine[-1].append(one)
        mine[-1].full = mine[-1].full or len(mine[-1]) >= MOST  # type: ignore[attr-defined]

    def leave(self, one: One) -> bool:
        found = [each for mine in self.collecting.values() for each in mine if one in each]
        for each in found:
            each.remove(one)
        return bool(found)

    def close(self) -> None:
        for members in [each for mine in self.collecting.values() for each in mine]:
            awake = [one for one in members if one.state != "paused"]
            leader = (awake or members or [None])[0]
            for one in members:
                one.tell("waiting" if one is leader else "completed")
            if leader is not None:
                self.led[leader.id] = [one.id for one in members]
        self.collecting.clear()


class Members(list[One]):
    """The runs in one digest."""

    full = False


def cancel(model: Model, one: One) -> None:
    if one.state not in ("completed", "stopped", "cancelled"):
        model.leave(one)
        one.state = "cancelled"


def pause(model: Model, one: One) -> None:
    if one.state in ("active", "waiting"):
        one.told = "waiting" if one.state == "waiting" else one.told
        one.state = "paused"


def resume(model: Model, one: One) -> None:
    if one.state == "paused":
        one.state = one.told or "active"


def remove(model: Model, one: One) -> None:
    if model.leave(one):
        one.tell("stopped")


RULES: dict[str, Callable[[Model, One], None]] = {"cancel": cancel, "pause": pause, "resume": resume, "remove": remove}
VERBS = {"cancel": cancel_runs, "pause": pause_runs, "resume": resume_runs}


def take_out(tenant: Tenant, run_id: int) -> None:
    for digest in digests_of(tenant):
        for position, owner, left in items_of(tenant, digest):
            if owner == run_id and not left:
                try:
                    asked = Asked(Cause.API, "", "a test")
                    remove_item(tenant_id=tenant.pk, public_id=digest.public_id, position=position, asked=asked)
                except Conflict:
                    assert digest.status == "closed"


def do(tenant: Tenant, model: Model, deed: str, what: Any) -> None:
    if deed == "bring":
        model.bring(what, bring(tenant, len(model.runs), subject=what)[0])
    elif deed == "close":
        close_all(tenant)
        model.close()
    elif model.runs:
        one = model.runs[what % len(model.runs)]
        if deed in VERBS:
            control(tenant, VERBS[deed], one.id)
            drain(tenant)
        else:
            take_out(tenant, one.id)
        RULES[deed](model, one)


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(deeds=DEEDS)
def test_no_item_is_lost_doubled_or_led_by_the_wrong_run(deeds: list[tuple[str, Any]], new_tenant: Any) -> None:
    tenant, model = new_tenant(), Model()
    collecting(tenant, {"max_items": MOST, "show": 20})

    for deed, what in [*deeds, ("close", None)]:
        do(tenant, model, deed, what)

    assert {one.id: run_of(tenant, one.id).state for one in model.runs} == {one.id: one.state for one in model.runs}
    for one in model.runs:
        output = collected_by(tenant, one.id)
        numbers = [model.runs[item["n"]].id for item in output["items"]] if output else []
        assert numbers == model.led.get(one.id, [])
    assert list(verify_trace(tenant_id=tenant.pk)) == []
