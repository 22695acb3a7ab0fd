"""A visit of a step, as REST names it: by step, and by visit where a loop made several."""

import uuid
from typing import Any

from rest_framework import serializers

from chimeway_py.api.serializers import StrictSerializer
from workflows.api.runs import run_of
from workflows.errors import StepRunNotFound
from workflows.models import StepRun


class VisitSerializer(StrictSerializer):
    """Which visit of which step it is."""

    step = serializers.CharField(max_length=64)
    visit = serializers.IntegerField(required=False, min_value=1, help_text="The latest when left out.")
    compensation = serializers.BooleanField(
        required=False, default=False, help_text="What undoes the step is meant, not the step."
    )


def take_key(tenant_id: int, public_id: uuid.UUID, asked: dict[str, Any]) -> str:
    """The effect key of the visit that is asked for, which is taken out of `asked`.

    Raises `RunNotFound` and `StepRunNotFound`.
    """
    step, visit, undoing = asked.pop("step"), asked.pop("visit", None), asked.pop("compensation")
    run = run_of(tenant_id, public_id)
    visits = StepRun.objects.for_tenant(tenant_id).filter(run_id=run.pk, step=step, resend=0)
    visits = visits.filter(undo__gt=0) if undoing else visits.filter(undo=0)
    if visit is not None:
        visits = visits.filter(visit=visit)
    key = visits.order_by("-visit").values_list("key", flat=True).first()
    if key is None:
        raise StepRunNotFound
    return key
