"""The rows of deliveries."""

from deliveries.models.broadcast import Broadcast, BroadcastChunk, BroadcastSource, BroadcastStatus
from deliveries.models.delivery import Delivery
from deliveries.models.endpoint import Endpoint
from deliveries.models.inbox_item import InboxItem
from deliveries.models.preference import Category, Preference
from deliveries.models.provider import Provider
from deliveries.models.recipient import Recipient
from deliveries.models.release import Release
from deliveries.models.segment import Segment
from deliveries.models.sending_rules import SendingRules
from deliveries.models.suppression import Suppression
from deliveries.models.template import Template, TemplateStatus, TemplateVersion

__all__ = [
    "Broadcast",
    "BroadcastChunk",
    "BroadcastSource",
    "BroadcastStatus",
    "Category",
    "Delivery",
    "Endpoint",
    "InboxItem",
    "Preference",
    "Provider",
    "Recipient",
    "Release",
    "Segment",
    "SendingRules",
    "Suppression",
    "Template",
    "TemplateStatus",
    "TemplateVersion",
]
