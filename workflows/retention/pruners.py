"""The pruners of what the engine and the apps below it keep."""

from workflows.models.retention import Kept
from workflows.retention import runs, signals
from workflows.retention.plain_rows import RowPruner
from workflows.retention.registry import register_pruner


def register_all() -> None:
    """Make them known."""
    runs.register_all()
    signals.register_all()
    register_pruner(Kept.ANSWERS, RowPruner("answer", "tenants_idempotencyrecord"))
