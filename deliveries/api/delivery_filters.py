"""The filters of lists of deliveries."""

from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter

from chimeway_py.errors import Invalid, fault
from deliveries.channels.registry import channels
from deliveries.states import DeliveryStatus, Layer
from signals_app.instants import read_instant

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


def wanted(query: dict[str, str]) -> Q:
    """The conditions of a list's query. Raises `Invalid` for a word that no delivery has."""
    where = {column: query[name] for name, column in {**_OPEN, **{n: n for n in _CLOSED}}.items() if name in query}
    faults = [
        fault(f"/{name}", f"unknown_{name}", f"One of {', '.join(words)}.")
        for name, words in _CLOSED.items()
        if name in query and query[name] not in words
    ]
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
