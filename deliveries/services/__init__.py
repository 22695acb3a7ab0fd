"""What can be done with deliveries, inboxes, templates and endpoints: one verb per function, one transaction each.

Planning, performing and settling are the engine's: see `deliveries.steps.deliver`.
"""

from deliveries.services.endpoints import EndpointSecret, put_endpoint, rotate_secret
from deliveries.services.feedback import record_bounce
from deliveries.services.inbox import Mark, Marked, mark_item, mark_items, unread_counts
from deliveries.services.resend import NotSettled, resend_delivery
from deliveries.services.templates import put_template

__all__ = [
    "EndpointSecret",
    "Mark",
    "Marked",
    "NotSettled",
    "mark_item",
    "mark_items",
    "put_endpoint",
    "put_template",
    "record_bounce",
    "resend_delivery",
    "rotate_secret",
    "unread_counts",
]
