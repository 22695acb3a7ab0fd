"""The admin of deliveries: what reached whom, what is owed, templates and endpoints."""

from deliveries.admin import (
    broadcasts,
    concerns,
    deliveries,
    endpoints,
    inbox,
    providers,
    recipients,
    sending_rules,
    suppressions,
    templates,
)

__all__ = [
    "broadcasts",
    "concerns",
    "deliveries",
    "endpoints",
    "inbox",
    "providers",
    "recipients",
    "sending_rules",
    "suppressions",
    "templates",
]
