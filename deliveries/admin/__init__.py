"""The admin of deliveries: what reached whom, what is owed, templates and endpoints."""

from deliveries.admin import concerns, deliveries, endpoints, inbox, providers, recipients, sending_rules, templates

__all__ = ["concerns", "deliveries", "endpoints", "inbox", "providers", "recipients", "sending_rules", "templates"]
