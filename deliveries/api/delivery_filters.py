"""The filters of lists of deliveries."""

from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter

from chimeway_py.api.paging import closed_faults
from chimeway_py.errors import Invalid, fault
from deliveries.channels.registry import channels
from deliveries.states import DeliveryStatus, Layer
from signals_app.instants import read_instant
from workflows.digests.output import REMOVED
from workflows.models.step_run import StepRunStatus
from workflows.throttles.counting import LIMITED
from workflows.withheld.reading import REMOVED as ITEM_REMOVED
from workflows.withheld.reading import RUN_ENDED, THROTTLED

_CLOSED = {"channel": sorted(channels()), "status": DeliveryStatus.values, "decided_by": Layer.values}
_PLAIN = {"subject": "subject", "workflow": "definition_key", "step": "step_key", "template": "template"}
_OPEN = {**_PLAIN, "category": "category", "error": "error", "provider": "provider"}
_TIMES = {"planned_after": "planned_at__gt", "planned_before": "planned_at__lt"}
_TIME = {"type": "string", "format": "date-time"}
FILTERS = ("run", *_CLOSED, *_OPEN, "held", *_TIMES)
FILTER_PARAMETERS = [
    OpenApiParameter("run", {"type": "string", "format": "uuid"}),
    *(OpenApiParameter(name, str, enum=words) for name, words in _CLOSED.items()),
    OpenApiParameter("subject", str, description="Whom it is for, or whose inbox it went to."),
    OpenApiParameter("workflow", str, description="The key of a definition."),
    OpenApiParameter("step", str),
    OpenApiParameter("template", str),
    OpenApiParameter("category", str),
    OpenApiParameter("error", str, description="Such as preference, quiet_hours or bounced_before."),
    OpenApiParameter("provider", str, description="The key of the provider that has it."),
    OpenApiParameter("held", bool, description="Only what is held back, or only what is not."),
    *(OpenApiParameter(name, _TIME) for name in _TIMES),
]

_OF_MESSAGES = frozenset({"template", "category", "channel", "provider"})
"""What only a message has: whoever asks for it asks for no visit of a throttle or a digest."""
_STEP_STATUS = {
    "planned": Q(status__in=[StepRunStatus.OWED, StepRunStatus.RUNNING]),
    "suppressed": Q(outcome__in=[LIMITED, REMOVED]),
    "cancelled": Q(status=StepRunStatus.CANCELLED) & ~Q(outcome__in=[LIMITED, REMOVED]),
}
_STEP_ERROR = {THROTTLED: Q(outcome=LIMITED), ITEM_REMOVED: Q(outcome=REMOVED), RUN_ENDED: _STEP_STATUS["cancelled"]}
_STEP_DECIDED = {str(Layer.STEP): Q(kind="throttle")}
_NONE = Q(pk__in=[])


def wanted_steps(query: dict[str, str]) -> Q:
    """The same conditions, for visits that withheld something. The query was found to be valid."""
    if _OF_MESSAGES & query.keys():
        return _NONE
    found = Q()
    for name, column in {"run": "run__public_id", "workflow": "run__definition_key", "step": "step"}.items():
        if name in query:
            found &= Q(**{column: query[name]})
    for name, meant in (("status", _STEP_STATUS), ("error", _STEP_ERROR), ("decided_by", _STEP_DECIDED)):
        if name in query:
            found &= meant.get(query[name], _NONE)
    for name, column in {"planned_after": "created_at__gt", "planned_before": "created_at__lt"}.items():
        if name in query:
            found &= Q(**{column: read_instant(query[name].replace(" ", "+"))})
    if "held" in query:
        found &= _STEP_STATUS["planned"] if query["held"] == "true" else ~_STEP_STATUS["planned"]
    return found


def wanted(query: dict[str, str]) -> Q:
    """The conditions of a list's query. Raises `Invalid` for a word that no delivery has."""
    where = {column: query[name] for name, column in {**_OPEN, **{n: n for n in _CLOSED}}.items() if name in query}
    faults = closed_faults(query, _CLOSED)
    found = Q(**where)
    for name, column in _TIMES.items():
        if name in query:
            instant = read_instant(query[name].replace(" ", "+"))  # a plus that was not escaped
            if instant is None:
                faults.append(fault(f"/{name}", "bad_time", "An instant with an offset, such as 2026-11-20T09:30:00Z."))
            else:
                found &= Q(**{column: instant})
    if "run" in query:
        try:
            found &= Q(run__public_id=UUID(query["run"]))
        except ValueError:
            faults.append(fault("/run", "bad_id", "The public id of a run."))
    if "held" in query:
        if query["held"] not in ("true", "false"):
            faults.append(fault("/held", "bad_flag", "true or false."))
        is_held = Q(status=DeliveryStatus.PLANNED) & ~Q(held_by="")
        found &= is_held if query["held"] == "true" else ~is_held
    if faults:
        raise Invalid("The query is not valid.", faults)
    return found
