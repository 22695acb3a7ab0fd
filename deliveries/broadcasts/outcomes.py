"""What became of a broadcast: its runs by state, its messages by step and status, counted when somebody asks."""

from dataclasses import dataclass

from django.db.models import Count

from deliveries.models import Broadcast, Delivery
from workflows.models import Run


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Messages of one step that stand alike, and how many of them were opened or clicked."""

    step: str
    channel: str
    status: str
    count: int
    confirmed: int
    opened: int
    clicked: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All of it."""

    runs: dict[str, int]
    deliveries: list[StepOutcome]


def outcomes_of(broadcast: Broadcast) -> Outcomes:
    """Counted now, inside the tenant's scope, by the index that has the runs of broadcasts alone."""
    runs = Run.objects.for_tenant(broadcast.tenant_id).of_broadcast(broadcast.public_id)
    by_state = dict(runs.order_by("state").values_list("state").annotate(Count("id")))
    sent = Delivery.objects.for_tenant(broadcast.tenant_id).filter(run_id__in=runs.order_by().values("id"))
    names = ("step_key", "channel", "status")
    marks = {name: Count(f"{name}_at") for name in ("confirmed", "opened", "clicked")}
    counted = sent.order_by(*names).values_list(*names).annotate(Count("id"), **marks)
    return Outcomes(by_state, [StepOutcome(*row) for row in counted])
