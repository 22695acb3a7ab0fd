"""The admin of deliveries: what reached whom, what is owed, templates and endpoints."""

from deliveries.admin import concerns, content, deliveries, inbox

__all__ = ["concerns", "content", "deliveries", "inbox"]
