"""Sign heads of traces now, write them to a file, and hold a file that was kept against the database."""

import base64
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.audit.commands import add_by, recorded
from tenants.management.commands.tenant import existing_tenant
from workflows.explain.wording import counted
from workflows.heads.checking import OF_RUNS, Checked, check_heads
from workflows.heads.keys import PublicKeys, public_keys, read_keys
from workflows.heads.reading import export_heads
from workflows.heads.signing import sign_heads
from workflows.management.arguments import add_tenant
from workflows.verify import verify_trace


class Command(BaseCommand):
    help = "Signed heads of traces: sign, export, check, keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        signed = verbs.add_parser("sign", help="Sign now what was added since the last head.")
        exported = verbs.add_parser("export", help="Write heads as lines of JSON, to keep elsewhere.")
        exported.add_argument("--after", type=int, default=0, metavar="N", help="Only heads after this number.")
        exported.add_argument("--out", type=Path, metavar="FILE", help="Add them to this file (default: the output).")
        checked = verbs.add_parser("check", help="Hold kept heads, and then every trace, against the database.")
        checked.add_argument("file", metavar="FILE", help="What export wrote, or - for the input.")
        text = "Believe this public key, in base64, and not those of the settings."
        checked.add_argument("--key", type=_key, action="append", metavar="KEY", help=text)
        checked.add_argument("--heads-only", action="store_true", help="Do not verify each trace besides.")
        for verb in (signed, exported, checked):
            add_tenant(verb)
        add_by(signed)
        verbs.add_parser("keys", help="Print the public keys, the one that signs now first.")

    def handle(self, *, verb: str, tenant: str = "", **options: Any) -> None:
        if verb == "keys":
            for name, key in public_keys().items():
                self.stdout.write(f"{name} {base64.b64encode(key).decode()}")
            return
        tenant_id = existing_tenant(tenant).pk
        try:
            {"sign": self._sign, "export": self._export, "check": self._check}[verb](tenant_id, options)
        except ChimewayError as error:
            raise CommandError(error.message) from error

    def _sign(self, tenant_id: int, options: dict[str, Any]) -> None:
        with recorded(tenant_id, "heads sign", options, ref="what was added"):
            signed = sign_heads(tenant_id=tenant_id)
        for head in signed:
            told = f"{counted(head.runs, 'run')} and {counted(head.pruned, 'tombstone')}"
            self.stdout.write(f"head {head.number}: {told}, {bytes(head.digest).hex()}")
        if not signed:
            self.stdout.write("Nothing was added since the last head, or it is still under way.")

    def _export(self, tenant_id: int, options: dict[str, Any]) -> None:
        lines = export_heads(tenant_id=tenant_id, after=options["after"])
        if options["out"] is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        with options["out"].open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def _check(self, tenant_id: int, options: dict[str, Any]) -> None:
        believed: PublicKeys = dict(item for key in options["key"] or () for item in key.items())
        checked, faults, runs = Checked(), 0, set[str]()
        lines, keys = _lines(options["file"]), believed or public_keys()
        for one in check_heads(tenant_id=tenant_id, lines=lines, keys=keys, checked=checked):
            faults += 1
            runs |= {one.run} if one.code in OF_RUNS else set()
            self.stdout.write(f"{f'run {one.run}' if one.run else f'head {one.number}'}: {one.code}. {one.message}")
        if not options["heads_only"]:
            for fault in verify_trace(tenant_id=tenant_id):
                faults += 1
                self.stdout.write(f"run {fault.run} seq {fault.seq}: {fault.code}. {fault.message}")
        if faults:
            raise CommandError(f"{counted(faults, 'fault')}, {counted(len(runs), 'run')} not as signed.")
        entries = counted(checked.leaves, "entry", "entries")
        self.stdout.write(f"Intact: {counted(checked.heads, 'head')} with {entries}.")


def _lines(name: str) -> Iterator[str]:
    """The lines of a file, read as they are asked for."""
    if name == "-":
        yield from sys.stdin
        return
    try:
        with Path(name).open(encoding="utf-8") as file:
            yield from file
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from error


def _key(text: str) -> PublicKeys:
    try:
        return read_keys([text])
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not the base64 of a public key; heads keys prints them") from error
