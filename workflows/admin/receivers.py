"""Receivers that are disabled by one rule, endpoints and subscriptions: what the admin asks about them."""

from typing import Any

from django.db.models import Model, QuerySet

from chimeway_py.admin_site import register_concern
from tenants.admin.concerns import concern
from tenants.admin.filters import question_filter
from workflows.models import DisabledReason


def given_up(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those that nobody asked to disable."""
    return rows.filter(enabled=False).exclude(disabled_reason=DisabledReason.ASKED)


ReceiverHealth = question_filter(
    "health",
    "health",
    [
        ("disabled", "disabled by failures or 410", given_up),
        ("failing", "failing", lambda rows: rows.filter(enabled=True, failing_since__isnull=False)),
    ],
)


def watch_receivers(model: type[Model], *, label: str, hint: str) -> None:
    """Have the home page count those that were given up."""
    register_concern(
        concern(
            label=label,
            hint=hint,
            url_name=f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist",
            query="health=disabled",
            rows=lambda: given_up(model._default_manager.all()),
            since="disabled_at",
        )
    )
