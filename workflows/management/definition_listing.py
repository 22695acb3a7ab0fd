"""`definitions list`."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from chimeway_py.text import utc_minute
from tenants.scope import tenant_scope
from workflows.management.verbs import Verb
from workflows.models import Definition, DefinitionStatus


class ListVersions(Verb):
    """Lists versions."""

    name, help = "list", "List the stored versions by their keys, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which of them."""
        parser.add_argument("key", nargs="?", metavar="KEY", help="Only this one.")
        parser.add_argument("--status", choices=DefinitionStatus.values)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line for each."""
        asked = {name: options[name] for name in ("key", "status") if options[name]}
        with tenant_scope(tenant_id):
            for one in Definition.objects.for_tenant(tenant_id).filter(**asked).latest_first().defer("document"):
                since = f"  since {utc_minute(one.published_at)}" if one.published_at else ""
                yield f"{one.key}  v{one.version}  {one.status}{since}"
