"""The recipient in a start call: stored in the transaction that starts the run."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from deliveries.recipients.reading import recipient_faults
from deliveries.recipients.upsert import store_recipients
from tenants.models.api_key import Scope
from workflows.services.companions import Companion


class RecipientCompanion(Companion):
    """`recipient: {addresses, zone, locale, attributes}` beside a subject: what is left out keeps its value."""

    name = "recipient"
    scope = Scope.RECIPIENTS_WRITE
    description = (
        "Who the subject is: addresses, zone, locale and attributes, as `POST /v1/recipients/batch` takes them."
    )

    def faults(self, said: Any, path: str) -> Iterator[dict[str, str]]:
        """As of any recipient."""
        yield from recipient_faults(said, path)

    def store(self, tenant_id: int, said: Mapping[str, Any], now: datetime) -> None:
        """Make or change the recipients."""
        store_recipients(tenant_id, said, now)
