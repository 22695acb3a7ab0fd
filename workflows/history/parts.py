"""What belongs to a run: the tables whose rows go with it, into an export and out of the database.

An app registers its own, so that nobody here knows what a delivery is. A test walks the foreign keys of the database
and fails when a table that leads to a run is not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from tenants.sql import execute


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one model that belong to a run: by `parent`, a foreign key to the run or to a part registered before.

    `is_sealed`: the column `sealed` holds payload values, which the model opens as `content` and seals again with
    `seal(content)`. `is_exported` is False for what can be made again, and `is_forgotten` True for what outlives the
    run and only ceases to name it.
    """

    kind: str
    model: type[models.Model]
    parent: str = "run"
    is_sealed: bool = False
    is_exported: bool = True
    is_forgotten: bool = False

    @property
    def table(self) -> str:
        """Where they are."""
        return self.model._meta.db_table

    @property
    def column(self) -> str:
        """The column that names the parent's row."""
        return str(self.model._meta.get_field(self.parent).attname)  # type: ignore[union-attr]

    @property
    def parent_model(self) -> type[models.Model]:
        """What the rows hang on."""
        model = self.model._meta.get_field(self.parent).related_model
        assert isinstance(model, type)
        return model


_parts: list[Part] = []
_DELETE = "DELETE FROM {table} WHERE tenant_id = %s AND {chosen}"
_FORGET = "UPDATE {table} SET {column} = NULL WHERE tenant_id = %s AND {chosen}"


def register_part(part: Part) -> None:
    """Make a part known. What it hangs on must be known before. Registering it again changes nothing."""
    if part not in _parts:
        _parts.append(part)


def parts() -> Sequence[Part]:
    """All parts, those that others hang on first."""
    return tuple(_parts)


def part_of(model: type[models.Model]) -> Part | None:
    """The part of a model, or None."""
    return next((part for part in _parts if part.model is model), None)


def rows_of(part: Part, tenant_id: int, run_id: int) -> models.QuerySet[Any]:
    """The rows of one run."""
    path = part.parent
    parent = part_of(part.parent_model)
    while parent is not None:
        path, parent = f"{path}__{parent.parent}", part_of(parent.parent_model)
    rows: models.QuerySet[Any] = part.model._default_manager.filter(**{"tenant_id": tenant_id, f"{path}_id": run_id})
    return rows


def remove_parts(tenant_id: int, run_ids: Sequence[int]) -> dict[str, int]:
    """Delete what belongs to these runs, inside the caller's scope; how many rows of each kind."""
    removed = {}
    for part in reversed(_parts):
        act = _FORGET if part.is_forgotten else _DELETE
        statement = act.format(table=part.table, column=part.column, chosen=_chosen(part))
        removed[part.kind] = execute(statement, [*[tenant_id] * _depth(part), run_ids])
    return removed


def _chosen(part: Part) -> str:
    """Whose parent, or the parent's parent, is one of the runs."""
    parent = part_of(part.parent_model)
    if parent is None:
        return f"{part.column} = ANY(%s)"
    return f"{part.column} IN (SELECT id FROM {parent.table} WHERE tenant_id = %s AND {_chosen(parent)})"  # noqa: S608


def _depth(part: Part) -> int:
    parent = part_of(part.parent_model)
    return 1 if parent is None else 1 + _depth(parent)
