"""Every verb of every command, called once for a tenant that has a row of everything."""

import argparse
import io
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands, load_command_class

from tenants.models import OperatorAction, Tenant
from tenants.scope import tenant_scope

APPS = ("chimeway_py", "tenants", "signals_app", "workflows", "deliveries")
BY = "olga"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def verbs() -> dict[tuple[str, str], list[str]]:
    """(command, verb) -> its options, of all commands of ours; one without verbs has the verb "" alone."""
    found = {}
    for name in (name for name, app in get_commands().items() if str(app).split(".")[0] in APPS):
        parser = load_command_class(str(get_commands()[name]), name).create_parser("manage.py", name)
        parsers = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        for verb, own in parsers[0].choices.items() if parsers else [("", parser)]:
            found[name, verb] = [option for action in own._actions for option in action.option_strings]
    return found


@dataclass(frozen=True)
class Told:
    """What one call said, and what the record says of it."""

    command: str
    verb: str
    out: str
    acts: tuple[OperatorAction, ...]

    @property
    def name(self) -> tuple[str, str]:
        return self.command, self.verb

    @property
    def ids(self) -> list[str]:
        """The ids in what it said, in order."""
        return UUID.findall(self.out)


@dataclass
class Walk:
    """Calls commands for one tenant, and keeps what came of it."""

    tenant: Tenant
    folder: Path
    writes: list[Told] = field(default_factory=list)
    reads: list[Told] = field(default_factory=list)

    def write(self, command: str, verb: str, *words: Any, by: bool = True, tenant: bool = True, said: str = "") -> Told:
        """Call one that writes, in Olga's name."""
        named = ["--by", BY] if by else []
        self.writes.append(self._call(command, verb, [*words, *named], tenant, said))
        return self.writes[-1]

    def read(self, command: str, verb: str, *words: Any, tenant: bool = True, said: str = "") -> Told:
        """Call one that only looks."""
        self.reads.append(self._call(command, verb, list(words), tenant, said))
        return self.reads[-1]

    def file(self, name: str, text: str) -> Path:
        """A file with this text."""
        path = self.folder / name
        path.write_text(text)
        return path

    def _call(self, command: str, verb: str, words: list[Any], tenant: bool, said: str) -> Told:
        last, out = self._last_act(), io.StringIO()
        whole = [*filter(None, [verb]), *map(str, words), *(["--tenant", self.tenant.slug] if tenant else [])]
        with _typed(said):
            call_command(command, *whole, stdout=out, stderr=out)
        with tenant_scope(self.tenant.pk):
            acts = OperatorAction.objects.filter(tenant_id=self.tenant.pk, id__gt=last).order_by("id")
            return Told(command, verb, out.getvalue(), tuple(acts))

    def _last_act(self) -> int:
        with tenant_scope(self.tenant.pk):
            newest = OperatorAction.objects.filter(tenant_id=self.tenant.pk).order_by("-id").first()
        return newest.pk if newest else 0


@contextmanager
def _typed(said: str) -> Iterator[None]:
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode()))):
        yield


def new_account() -> str:
    """The name of a fresh operator account."""
    return str(get_user_model().objects.create(username=f"op-{uuid.uuid4().hex[:12]}", is_staff=True).username)
