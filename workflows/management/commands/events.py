"""Subscribe to events, look at them and send them again."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from workflows.management.event_verbs import VERBS
from workflows.management.recording import in_the_name
from workflows.management.verbs import VerbCommand
from workflows.models import EventSubscription


class Command(VerbCommand):
    help = "Subscribe to events, look at them and send them again."
    about = "events"
    verbs = VERBS

    def recording(self, tenant_id: int, verb: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
        """With what changes of the subscription that is named."""
        return in_the_name(tenant_id, f"events {verb}", options, lambda: _named(tenant_id, options))


def _named(tenant_id: int, options: Mapping[str, Any]) -> list[EventSubscription]:
    return list(EventSubscription.objects.filter(tenant_id=tenant_id, key=options["key"]))
