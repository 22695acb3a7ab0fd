"""Verbs: the parts of a command such as `runs cancel`, each an object that reads its options and says what it did."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from workflows.management.arguments import add_tenant
from workflows.management.recording import in_the_name


class Verb:
    """One verb of a command."""

    name: str
    help: str

    def arguments(self, parser: ArgumentParser) -> None:
        """Declare its options, besides the tenant."""
        raise NotImplementedError

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Do it; what to print. Raises `ChimewayError`."""
        raise NotImplementedError


class VerbCommand(BaseCommand):
    """A command of verbs on what one tenant has. What they do is recorded; a refusal ends with 1 and says why."""

    about: ClassVar[str]
    verbs: ClassVar[Sequence[Verb]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A parser for each verb."""
        parsers = parser.add_subparsers(dest="verb", required=True)
        for verb in self.verbs:
            own = parsers.add_parser(verb.name, help=verb.help)
            verb.arguments(own)
            add_tenant(own)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        """Carry out one verb, and print what it says as it says it."""
        chosen = next(one for one in self.verbs if one.name == verb)
        try:
            tenant_id = existing_tenant(tenant).pk
            with self.recording(tenant_id, verb, options):
                for line in chosen.lines(tenant_id, options):
                    self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(error.line) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error

    def recording(self, tenant_id: int, verb: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Record what is done inside, with the rows that it changes."""
        return in_the_name(tenant_id, f"{self.about} {verb}", options)
