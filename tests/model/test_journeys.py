"""Two tenants and random journeys of every step kind: the stored state, the folded trace and a model agree.

After everything that happens, each run is what the trace folds to and what the model of the rules says, each trace
verifies, the explanation offers exactly what would be accepted, a refusal has written nothing, and the other tenant's
rows are as they were. `MODEL_EXAMPLES` and `MODEL_STEPS` make it longer, `MODEL_SEED` begins elsewhere; with
`MODEL_SHRINKS` a failure is made as small as can be, which takes minutes.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as rounds
from hypothesis.stateful import run_state_machine_as_test

from deliveries.channels.email import EmailChannel
from tests.model.documents import ONE_OF_EACH
from tests.model.machine import Journeys, Stub
from tests.model.world import MOST_LOST
from workflows.services import lost_work
from workflows.services import work as working
from workflows.steps.http import HttpStep
from workflows.steps.registry import kinds
from workflows.steps.throttle import ThrottleStep

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "20"))
STEPS = int(os.environ.get("MODEL_STEPS", "30"))
SHRINKS = bool(os.environ.get("MODEL_SHRINKS"))
SEED = int(os.environ.get("MODEL_SEED", "20"))


def test_every_kind_of_step_is_held_by_a_model() -> None:
    known = {name for name, kind in kinds().items() if not type(kind).__module__.startswith("tests.")}
    met: set[str] = set()

    @rounds(max_examples=1, database=None, deadline=None)
    @given(steps=ONE_OF_EACH)
    def look(steps: tuple[dict[str, Any], ...]) -> None:
        met.update(step["kind"] for step in steps)

    look()
    assert met == known


def test_stored_state_trace_and_model_agree(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    stub = Stub()
    monkeypatch.setattr(EmailChannel, "send", lambda self, message: stub.outcome)
    monkeypatch.setattr(HttpStep, "perform", lambda self, claim: stub.outcome)
    monkeypatch.setattr(ThrottleStep, "perform", lambda self, claim: stub.take_turn(claim))
    monkeypatch.setattr(Journeys, "stub", stub, raising=False)
    for module in (working, lost_work):
        monkeypatch.setattr(module, "MOST_LOST_ATTEMPTS", MOST_LOST)
    settings.LEASE_SECONDS = 600
    journeys = rounds(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if SHRINKS else [])],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(SEED)(Journeys), settings=journeys)
