"""Providers kept in files, their credentials apart from the rest."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.api.json_gate import pointer
from chimeway_py.errors import ChimewayError, Invalid, fault
from deliveries.models import Provider
from deliveries.services.provider_trying import trial_of, try_provider
from deliveries.services.providers import Rate, delete_provider, put_provider
from deliveries.services.trying import address_in
from deliveries.states import DeliveryStatus
from tenants.audit.commands import add_by, who
from tenants.scope import tenant_scope
from tenants.services import find_tenant
from workflows.definitions.files import load_file
from workflows.definitions.yaml_reader import read_yaml
from workflows.management.recording import in_the_name
from workflows.states import Cause

_SHAPES = {"kind": str, "config": dict, "position": int, "enabled": bool, "rate": dict}
_RATE = {"count": int, "seconds": int}
_WORDS = {str: "a text", dict: "an object", int: "a whole number", bool: "true or false"}


class Command(BaseCommand):
    """Lists, stores and forgets."""

    help = "List, store, try and forget the providers of a tenant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="Every provider and how it does.")
        stored = verbs.add_parser("put", help="Store one from a file: kind, config, position, enabled, rate.")
        stored.add_argument("key", metavar="KEY")
        stored.add_argument("path", type=Path, metavar="PATH", help="YAML or JSON.")
        stored.add_argument("--credentials", metavar="PATH", help="A file of credentials; - reads standard input.")
        forgotten = verbs.add_parser("delete", help="Forget one with its credentials.")
        forgotten.add_argument("key", metavar="KEY")
        tried = verbs.add_parser("test", help="Send a test through one, and wait for what it answers.")
        tried.add_argument("key", metavar="KEY")
        tried.add_argument("--to", default="", metavar="ADDRESS", help="An address of its channel.")
        tried.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="At most (30).")
        for one in (listed, stored, forgotten, tried):
            one.add_argument("--tenant", required=True, metavar="SLUG")
        for one in (stored, forgotten, tried):
            add_by(one)

    def handle(self, *, verb: str, tenant: str, **said: Any) -> None:
        owner = find_tenant(tenant)
        if owner is None:
            raise CommandError(f"No tenant {tenant}.")
        try:
            with in_the_name(owner.pk, f"providers {verb}", said, lambda: _named(owner.pk, said)):
                self.stdout.write(getattr(self, f"_{verb}")(owner.pk, said))
        except ChimewayError as error:
            faults = [] if isinstance(error.detail, dict) else error.detail
            told = [f"{one['path'] or '/'}: {one['message']}" for one in faults]  # type: ignore[index]
            raise CommandError("\n".join([error.message, *told])) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error

    def _list(self, tenant_id: int, said: dict[str, Any]) -> str:
        with tenant_scope(tenant_id):
            rows = list(Provider.objects.filter(tenant_id=tenant_id).order_by("channel", "position", "id"))
        lines = [f"{row.channel:8} {row.position:4} {row.key:24} {row.kind:10} {_health(row)}" for row in rows]
        return "\n".join(lines)

    def _put(self, tenant_id: int, said: dict[str, Any]) -> str:
        asked = dict(load_file(said["path"]))
        if faults := [*_shape_faults(asked)]:
            raise Invalid(f"{said['path']} is not valid.", faults)
        if rate := asked.pop("rate", None):
            asked["rate"] = Rate(**rate)
        row, created = put_provider(
            tenant_id=tenant_id, key=said["key"], credentials=_credentials(said["credentials"]), **asked
        )
        return f"{row} {'created' if created else 'stored'}"

    def _delete(self, tenant_id: int, said: dict[str, Any]) -> str:
        delete_provider(tenant_id=tenant_id, key=said["key"])
        return f"{said['key']} deleted"

    def _test(self, tenant_id: int, said: dict[str, Any]) -> str:
        """Workers send it. One that was not delivered ends the command with 1."""
        asked: dict[str, Any] = {"key": said["key"], "to": address_in(said["to"]), "cause_ref": who(said)}
        run = try_provider(tenant_id=tenant_id, cause=Cause.OPERATOR, **asked).public_id
        ends_at = time.monotonic() + said["wait"]
        while not (trial := trial_of(tenant_id=tenant_id, run=run)).is_settled and time.monotonic() < ends_at:
            time.sleep(0.1)
        if trial.is_settled and trial.outcome != DeliveryStatus.DELIVERED:
            raise CommandError(f"{trial.outcome}: {trial.sentence}")
        ref = f" It calls the message {trial.provider_ref}." if trial.provider_ref else ""
        return f"{trial.outcome or 'not yet'}: {trial.sentence}{ref} (run {run})"


def _shape_faults(asked: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Members that are missing, unknown or of another type. What they mean is judged where they are stored."""
    if "kind" not in asked:
        yield fault("/kind", "missing", "`kind` is missing.")
    yield from _typed(asked, _SHAPES, "")
    if isinstance(rate := asked.get("rate"), dict):
        yield from _typed({"count": None, **rate}, _RATE, "/rate")


def _typed(asked: Mapping[str, Any], shapes: Mapping[str, type], at: str) -> Iterator[dict[str, str]]:
    for name, value in asked.items():
        if name not in shapes:
            yield fault(pointer(at, name), "unknown_key", f"No such key; known are {', '.join(shapes)}.")
        elif type(value) is not shapes[name]:
            yield fault(f"{at}/{name}", "bad_type", f"Must be {_WORDS[shapes[name]]}.")


def _named(tenant_id: int, said: dict[str, Any]) -> list[Provider]:
    return list(Provider.objects.filter(tenant_id=tenant_id, key=said["key"]))


def _health(row: Provider) -> str:
    state = "" if row.enabled else "disabled "
    return state + (f"failures={row.failures} {row.last_error}" if row.failures else "ok")


def _credentials(path: str | None) -> dict[str, Any] | None:
    """From a file or standard input: never from the command line, which others can read."""
    if path is None:
        return None
    return read_yaml(sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes())
