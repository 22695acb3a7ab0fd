"""manage.py broadcast create|preview|start|show|list|cancel|report"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from deliveries.management.broadcast_verbs import Cancel, Create, List, Preview, Report, Show, Start
from deliveries.models import Broadcast
from tenants.audit.commands import recorded
from tenants.scope import tenant_scope
from workflows.management.verbs import VerbCommand


class Command(VerbCommand):
    help = "Make, look at, start and cancel broadcasts, and say what became of them."
    about = "broadcast"
    verbs = (Create(), Preview(), Start(), Show(), List(), Cancel(), Report())

    def recording(self, tenant_id: int, verb: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
        """What a verb does to the broadcast that it names. Verbs without `--by` only look."""
        if "by" not in options:
            return nullcontext()
        with tenant_scope(tenant_id):
            mine = Broadcast.objects.filter(tenant_id=tenant_id)
            rows = list(mine.filter(public_id=options["id"])) if "id" in options else []
        return recorded(tenant_id, f"broadcast {verb}", options, rows, ref=str(options.get("workflow", "")))
