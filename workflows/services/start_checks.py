"""What a start must satisfy before anything is written: every fault at once, with its path."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable, scalar_text
from tenants.sql import Question, Rows, fetch
from workflows.definitions.data_schema import data_faults, patience
from workflows.definitions.document import correlation_names
from workflows.definitions.errors import DefinitionNotFound
from workflows.errors import DefinitionOff
from workflows.services.companions import companions
from workflows.services.documents import Loaded, documents

if TYPE_CHECKING:
    from workflows.services.start_rows import NewRun


_STARTABLE = """
SELECT (SELECT id FROM workflows_definition
         WHERE tenant_id = %s AND key = %s AND status = 'published' AND version = coalesce(%s, version)
         ORDER BY version DESC LIMIT 1), switched_off(%s)
"""


def asking_startable(tenant_id: int, key: str, version: int | None = None) -> Question:
    """What `startable` must know, for one trip to the server with whatever else is asked."""
    return _STARTABLE, [tenant_id, key, version, tenant_id]


def startable(tenant_id: int, key: str, version: int | None, answer: Rows | None = None) -> Loaded:
    """The published version that a start uses: the one asked for, or the latest.

    Raises `DefinitionNotFound`, and `DefinitionOff` when its key is switched off.
    """
    [(id_, off)] = answer or fetch(*asking_startable(tenant_id, key, version))
    if id_ is None:
        raise DefinitionNotFound(f"No published definition {key!r}" + (f" version {version}." if version else "."))
    if (switch := off.get(key)) is not None:
        raise DefinitionOff(f"{key} is switched off.", {"level": switch["level"]})
    return documents(tenant_id, [id_])[id_]


def check_starts(loaded: Loaded, runs: "Sequence[NewRun]") -> "list[NewRun]":
    """The runs with correlation values as text. Raises `Invalid` listing every fault; paths start with the index."""
    with patience():
        faults = [found for index, run in enumerate(runs) for found in _faults(loaded, run, f"/{index}")]
    if faults:
        raise Invalid("The start is not valid.", faults)
    return [
        replace(run, correlation={name: scalar_text(value) for name, value in run.correlation.items()}) for run in runs
    ]


def _faults(loaded: Loaded, run: "NewRun", at: str) -> Iterator[dict[str, str]]:
    if not run.subject or not is_storable(run.subject, 200):
        yield fault(f"{at}/subject", "bad_subject", "Text of 1 to 200 characters, without NUL or lone surrogates.")
    if run.idempotency_key is not None and (not run.idempotency_key or not is_storable(run.idempotency_key, 255)):
        yield fault(f"{at}/idempotency_key", "bad_key", "Text of 1 to 255 characters, without NUL or lone surrogates.")
    if run.at is not None and run.at.tzinfo is None:
        yield fault(f"{at}/at", "no_time_zone", "An instant with an offset, such as 2026-11-20T09:30:00Z.")
    declared = correlation_names(loaded.document.raw)
    for name, value in run.correlation.items():
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            yield fault(
                f"{at}/correlation/{name}", "undeclared", f"{loaded.key} declares these correlation names: {known}."
            )
        elif not _is_value(value):
            yield fault(
                f"{at}/correlation/{name}", "bad_value", "Text of 1 to 200 characters, a whole number or a boolean."
            )
    for name, said in run.companions.items():
        companion = companions().get(name)
        if companion is None:
            yield fault(f"{at}/{name}", "unknown_key", "No such member.")
        else:
            yield from companion.faults(said, f"{at}/{name}")
    for found in data_faults(loaded.document.raw, run.data):
        yield found | {"path": f"{at}/data{found['path']}"}


def _is_value(value: Any) -> bool:
    """Whether a correlation value can be stored and compared; the caller may have passed anything."""
    return isinstance(value, str | int) and scalar_text(value) != "" and is_storable(scalar_text(value), 200)
