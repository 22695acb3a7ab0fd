"""The rows of deliveries."""

from deliveries.models.delivery import Delivery
from deliveries.models.endpoint import Endpoint
from deliveries.models.inbox_item import InboxItem
from deliveries.models.template import Template, TemplateStatus, TemplateVersion

__all__ = ["Delivery", "Endpoint", "InboxItem", "Template", "TemplateStatus", "TemplateVersion"]
