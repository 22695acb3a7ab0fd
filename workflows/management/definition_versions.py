"""`definitions publish` and `definitions retire`: what becomes of one stored version."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from tenants.audit.commands import add_by
from workflows.management.verbs import Verb
from workflows.models import Definition
from workflows.services.definitions import publish_definition, retire_definition


class VersionVerb(Verb):
    """Does something with one version, and says what it is then."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Which version, and who asks."""
        parser.add_argument("key", metavar="KEY")
        parser.add_argument("number", type=int, metavar="VERSION")
        add_by(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What it is now."""
        changed = self.change(tenant_id=tenant_id, key=options["key"], version=options["number"])
        yield f"{changed} is {changed.get_status_display().lower()}"

    def change(self, *, tenant_id: int, key: str, version: int) -> Definition:
        """Call the service. Raises `ChimewayError`."""
        raise NotImplementedError


class PublishVersion(VersionVerb):
    """Publishes a draft that is stored."""

    name, help = "publish", "Freeze a stored draft, and let it start runs."

    def change(self, *, tenant_id: int, key: str, version: int) -> Definition:
        """Publish it."""
        return publish_definition(tenant_id=tenant_id, key=key, version=version)


class RetireVersion(VersionVerb):
    """Retires a version."""

    name, help = "retire", "Let a version start nothing new; its runs go on."

    def change(self, *, tenant_id: int, key: str, version: int) -> Definition:
        """Retire it."""
        return retire_definition(tenant_id=tenant_id, key=key, version=version)
