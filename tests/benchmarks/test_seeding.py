"""Runs cast from one of the product's own: told apart by nothing but their keys, and their traces verify."""

import uuid
from typing import Any

import pytest
from django.db import models

from benchmarks import checks, seeding
from benchmarks.journeys import DEFINITION, mould, new_tenant, signal_some, start_some
from benchmarks.seeding import seed
from benchmarks.stand import Stand
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain
from workflows.explain.run import explain_run
from workflows.models import Listener, Run, Transition, Wait
from workflows.verify import verify_trace

LEFT_OUT = (models.BigAutoField, models.ForeignKey, models.BinaryField, models.DateTimeField)
KEYS = [f"k{i}" for i in range(25)]


@pytest.fixture
def seeded(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> int:
    """A tenant with a run for each key, cast in several parts."""
    monkeypatch.setattr(seeding, "CHUNK", 10)
    tenant_id, told = new_tenant(), []
    seed(stand.postgres, tenant_id, mould(tenant_id)[0], KEYS, told.append)
    assert told == [10, 20, 25]
    return tenant_id


def test_a_cast_run_differs_from_a_started_one_by_its_keys_only(seeded: int) -> None:
    start_some(seeded, ["own"])
    drain(Tenant(pk=seeded))

    with tenant_scope(seeded):
        own, cast = Run.objects.get(subject="user-own"), Run.objects.get(subject="user-k7")
        assert cast.correlation == {"k": "k7"}
        for model in (Listener, Wait, Transition):
            assert _shape(model, cast, "k7") == _shape(model, own, "own")


def _shape(model: type, run: Run, key: str) -> list[list[str]]:
    """The rows of a run without numbers, hashes and times, its key blanked out."""
    rows = model.objects.filter(run=run).order_by("pk")  # type: ignore[attr-defined]
    fields = [field for field in model._meta.concrete_fields if type(field) not in LEFT_OUT]  # type: ignore[attr-defined]
    return [[_blank(getattr(row, field.attname), key) for field in fields] for row in rows]


def _blank(value: Any, key: str) -> str:
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name != "due_at"}
    return str(value).replace(key, "*")


def test_every_trace_verifies_and_every_run_can_be_explained(stand: Stand, seeded: int) -> None:
    assert list(verify_trace(tenant_id=seeded)) == []
    with tenant_scope(seeded):
        public_id = Run.objects.get(subject="user-k3").public_id
    assert explain_run(tenant_id=seeded, public_id=public_id).reason == "wait_opened"


def test_cast_runs_complete_on_their_signals(stand: Stand, seeded: int) -> None:
    signal_some(seeded, KEYS)
    drain(Tenant(pk=seeded))

    with tenant_scope(seeded):
        assert Run.objects.filter(state="completed").count() == len(KEYS)
    observer = stand.observer()
    assert checks.signals_matched(observer, seeded, len(KEYS)).holds
    assert checks.no_gaps(observer, seeded).holds
    assert checks.traces_verify(observer, seeded, 100).holds


def test_the_service_goes_on_numbering_after_what_was_cast(seeded: int) -> None:
    with tenant_scope(seeded):
        last = Run.objects.order_by("-pk").values_list("pk", flat=True)[0]

    start_some(seeded, ["later"])

    with tenant_scope(seeded):
        assert Run.objects.get(subject="user-later").pk > last


def test_a_run_that_was_not_made_for_it_is_no_mould(stand: Stand) -> None:
    tenant_id = new_tenant()
    public_id = start_some(tenant_id, ["plain"])["plain"]

    with pytest.raises(ValueError, match="mould"):
        seed(stand.postgres, tenant_id, public_id, ["x"], lambda made: None)


def test_the_mould_is_of_the_usual_definition() -> None:
    tenant_id = new_tenant()

    public_id, key = mould(tenant_id)

    with tenant_scope(tenant_id):
        run = Run.objects.get(public_id=public_id)
        assert (run.definition_key, run.state) == (DEFINITION, "waiting")
        assert run.correlation == {"k": key}
    assert isinstance(public_id, uuid.UUID)
