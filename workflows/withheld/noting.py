"""Noting on a visit from whom it withheld something, so that their history finds it."""

from collections.abc import Mapping

from tenants.sql import arrays, execute, update

_NOTED = {"id": "bigint", "withheld_from": "text"}
_NOTE = update("workflows_steprun", _NOTED)
_FORGET = "UPDATE workflows_steprun SET withheld_from = NULL WHERE tenant_id = %s AND id = %s"


def note_withheld(tenant_id: int, subjects: Mapping[int, str]) -> None:
    """These visits, by step run id, let the subjects of their runs wait or go without. None costs nothing."""
    if subjects:
        execute(_NOTE, [tenant_id, *arrays(sorted(subjects.items()), _NOTED)])


def forget_withheld(tenant_id: int, step_run_id: int) -> None:
    """The run of the visit goes on after all: what becomes of it is told by what comes."""
    execute(_FORGET, [tenant_id, step_run_id])
