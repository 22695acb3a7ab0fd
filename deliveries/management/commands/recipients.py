"""manage.py recipients put|show|prefer|history|sent_to|find"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from deliveries.management.recipient_verbs import Find, History, Prefer, PutRecipients, SentTo, ShowRecipient
from deliveries.models import Preference
from workflows.management.recording import in_the_name
from workflows.management.verbs import VerbCommand

ABOUT_RULES = "prefer"


class Command(VerbCommand):
    help = "Keep recipients and what they prefer, and say what was sent to them."
    about = "recipients"
    verbs = (PutRecipients(), ShowRecipient(), Prefer(), History(), SentTo(), Find())

    def recording(self, tenant_id: int, verb: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
        """With what `prefer` changes. Of the recipients in a file there may be millions: that it was read is told."""
        return in_the_name(tenant_id, f"recipients {verb}", options, lambda: _rules(tenant_id, verb, options))


def _rules(tenant_id: int, verb: str, options: Mapping[str, Any]) -> list[Preference]:
    mine = Preference.objects.filter(tenant_id=tenant_id, subject=options.get("id") or "")
    return list(mine) if verb == ABOUT_RULES else []
