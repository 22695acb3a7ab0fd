"""Say how long what is kept, plan and carry out prunes, hold what must stay."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from tenants.audit.commands import Rows
from workflows.management.recording import in_the_name
from workflows.management.retention_verbs import VERBS
from workflows.management.verbs import VerbCommand
from workflows.models import LegalHold, RetentionPolicy


class Command(VerbCommand):
    help = "Say how long what is kept, plan and carry out prunes, hold what must stay."
    about = "retention"
    verbs = VERBS

    def recording(self, tenant_id: int, verb: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
        """With what a verb decides about keeping."""
        return in_the_name(tenant_id, f"retention {verb}", options, lambda: _kept(tenant_id, verb))


def _kept(tenant_id: int, verb: str) -> Rows:
    """A policy, or a hold."""
    decided = RetentionPolicy if verb == "set" else LegalHold
    return list(decided.objects.filter(tenant_id=tenant_id))
