"""Stored templates kept in files.

A file maps a key to its channels: `{payment_failed: {email: {subject: …, text: …, html: …}, in_app: {…}}}`.
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import Invalid, fault
from deliveries.services import put_template
from tenants.scope import tenant_scope
from tenants.services import find_tenant
from workflows.definitions.files import find_files, load_file

_PARTS = {"subject", "text", "html"}


class Command(BaseCommand):
    """All files or none. Faults go to standard error as `file:path: message`; then the exit code is 1."""

    help = "Push stored templates from YAML or JSON files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        pushed = parser.add_subparsers(dest="verb", required=True).add_parser("push", help="Store every template.")
        pushed.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="A file, or a folder of files.")
        pushed.add_argument("--tenant", required=True, metavar="SLUG")

    def handle(self, *, paths: list[Path], tenant: str, **_: Any) -> None:
        owner = find_tenant(tenant)
        if owner is None:
            raise CommandError(f"No tenant {tenant}.")
        stored: list[str] = []
        faults: list[str] = []
        with tenant_scope(owner.pk):
            for path in find_files(paths):
                try:
                    stored += [f"{path}: {line}" for line in _push(path, owner.pk)]
                except Invalid as error:
                    faults += [f"{path}:{one['path']}: {one['message']}" for one in _faults(error)]
                except OSError as error:
                    faults.append(f"{path}: {error.strerror}")
            if faults:
                self.stderr.write("\n".join(faults))
                raise CommandError(f"Faults: {len(faults)}. Nothing was stored.")
        self.stdout.write("\n".join(stored))


def _push(path: Path, tenant_id: int) -> list[str]:
    """Store the templates of one file; a line about each. Raises `Invalid` with every fault of it, and OSError."""
    faults, lines = [], []
    for place, key, channel, parts in _templates(load_file(path)):
        try:
            template, created = put_template(tenant_id=tenant_id, key=key, channel=channel, **parts)
        except Invalid as error:
            faults += [fault(place + one["path"], one["code"], one["message"]) for one in _faults(error)]
        else:
            lines.append(f"{template} {'created' if created else 'stored'}")
    if faults:
        raise Invalid("The file has faults.", faults)
    return lines


def _faults(error: Invalid) -> list[Mapping[str, Any]]:
    return list(error.detail)  # type: ignore[arg-type]


def _templates(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """(place, key, channel, parts) of each template in a document. Raises `Invalid` for another shape."""
    for key, by_channel in document.items():
        for channel, parts in by_channel.items() if isinstance(by_channel, Mapping) else [("", None)]:
            place = f"/{key}/{channel}".rstrip("/")
            if not isinstance(parts, Mapping) or set(parts) - _PARTS or not all(map(_is_text, parts.values())):
                message = "Expected {channel: {subject, text, html}}, each part a text."
                raise Invalid("The file has faults.", [fault(place, "shape", message)])
            yield place, key, channel, dict(parts)


def _is_text(part: Any) -> bool:
    return isinstance(part, str)
