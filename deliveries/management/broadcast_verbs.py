"""The verbs of `manage.py broadcast`."""

import json
import sys
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chimeway_py.errors import Invalid, fault
from deliveries.broadcasts.making import NewBroadcast, make_broadcast, put_targets
from deliveries.broadcasts.ordering import cancel_broadcast, start_broadcast
from deliveries.broadcasts.preview import preview
from deliveries.broadcasts.report import report_lines
from deliveries.broadcasts.standing import broadcast_of, sentence, target_states, targets_of_subject
from deliveries.broadcasts.uploading import targets_in
from deliveries.models import Broadcast
from tenants.scope import tenant_scope
from workflows.management.arguments import instant, public_id
from workflows.management.run_controlling import add_reason
from workflows.management.verbs import Verb

WATCH_EVERY = 0.5  # seconds between two looks at the progress
BAR = 40
LATEST = 50


class Create(Verb):
    """A draft, with its targets."""

    name = "create"
    help = "Make a draft: for subjects, for a segment, or for those in a file of CSV or JSON lines."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("workflow", metavar="WORKFLOW", help="The key of a published definition.")
        parser.add_argument("subjects", nargs="*", metavar="SUBJECT")
        parser.add_argument("--file", type=Path, help="*.csv, or JSON lines.")
        parser.add_argument("--charset", default="", help="Of a CSV without a byte order mark; UTF-8 by default.")
        parser.add_argument("--column", action="append", default=[], metavar="HEADING=HOLDS")
        parser.add_argument("--segment", default="", metavar="KEY")
        parser.add_argument("--name", default="", help="For people.")
        parser.add_argument("--version", type=int, dest="number", help="The latest when left out.")
        parser.add_argument("--data", type=json.loads, default={}, metavar="JSON")
        parser.add_argument("--correlation", action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument("--rate", type=int, help="Starts per minute.")
        _by(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The draft."""
        if bool(options["file"]) + bool(options["segment"]) + bool(options["subjects"]) != 1:
            raise Invalid("Say whom it is for.", [fault("", "targets", "Subjects, --file or --segment.")])
        new = NewBroadcast(
            workflow=options["workflow"],
            version=options["number"],
            name=options["name"],
            subjects=options["subjects"] or None,
            segment=options["segment"],
            data=options["data"],
            correlation=_pairs(options["correlation"]),
            columns=_pairs(options["column"]),
            rate=options["rate"],
        )
        with tenant_scope(tenant_id):
            made = make_broadcast(tenant_id=tenant_id, new=new, made_by=_who(options))
            if options["file"]:
                made = _filled(made, options["file"], options["charset"])
        yield _told(made)


class Preview(Verb):
    """Looks at a draft."""

    name = "preview"
    help = "Print what starting a draft would do, and the token that starts it."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which one."""
        _which(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line of JSON."""
        seen = preview(tenant_id=tenant_id, public_id=options["id"])
        names = ("token", "total", "is_whole", "skipped", "first", "looked_at", "held_back")
        told = [*names, "without_address", "latest_version"]
        yield json.dumps({name: getattr(seen, name) for name in told}, ensure_ascii=False)


class Start(Verb):
    """Begins, and looks on if asked."""

    name = "start"
    help = "Start a draft that was looked at."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which one, by which look, and when."""
        _which(parser)
        parser.add_argument("--token", required=True, help="Of a preview.")
        parser.add_argument("--at", type=instant, metavar="TIME", help="Now when left out.")
        _by(parser)
        parser.add_argument("--watch", action="store_true", help="Stay, and show how far it is, until it has ended.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Where it stands; with --watch, where it stood at the end."""
        asked = {"token": options["token"], "at": options["at"], "ordered_by": _who(options)}
        begun = start_broadcast(tenant_id=tenant_id, public_id=options["id"], **asked)
        yield _told(begun)
        if options["watch"]:
            yield _told(_watched(begun))


class Show(Verb):
    """How far one is, or what became of a subject in it."""

    name = "show"
    help = "Print how far a broadcast is; with --subject, what became of that target; with --skipped, who was left out."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which one, and what of it."""
        _which(parser)
        parser.add_argument("--subject")
        parser.add_argument("--skipped", action="store_true")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A sentence, then a line for each target that was asked for."""
        with tenant_scope(tenant_id):
            broadcast = broadcast_of(tenant_id, options["id"])
            yield _told(broadcast)
            found: Any = target_states(broadcast, skipped_only=True) if options["skipped"] else []
            for state in targets_of_subject(broadcast, options["subject"]) if options["subject"] else found:
                yield f"{state.position}  {state.subject}  {state.sentence}" + (f"  {state.run}" if state.run else "")


class List(Verb):
    """The latest broadcasts."""

    name = "list"
    help = f"List the latest {LATEST} broadcasts, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """None."""

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A line for each."""
        with tenant_scope(tenant_id):
            yield from map(_told, Broadcast.objects.filter(tenant_id=tenant_id).order_by("-id")[:LATEST])


class Cancel(Verb):
    """Ends one."""

    name = "cancel"
    help = "Start nothing more of a broadcast."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which one, and what of its runs."""
        _which(parser)
        parser.add_argument("--runs", action="store_true", help="Cancel the runs that it started, too.")
        add_reason(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Where it stands."""
        asked = {"reason": options["reason"], "runs": options["runs"], "cancelled_by": _who(options)}
        yield _told(cancel_broadcast(tenant_id=tenant_id, public_id=options["id"], **asked))


class Report(Verb):
    """Everything, for a spreadsheet."""

    name = "report"
    help = "Print what became of each target as CSV."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which one."""
        _which(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A line for each."""
        with tenant_scope(tenant_id):
            for line in report_lines(broadcast_of(tenant_id, options["id"])):
                yield line.removesuffix("\r\n")


def _which(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=public_id, metavar="ID")


def _by(parser: ArgumentParser) -> None:
    parser.add_argument("--by", default="", metavar="NAME", help="Who asks for it.")


def _who(options: dict[str, Any]) -> str:
    return str(options["by"] or "command line")


def _pairs(given: list[str]) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in given)


def _told(broadcast: Broadcast) -> str:
    called = f"  {broadcast.name}" if broadcast.name else ""
    return f"{broadcast.public_id}  {broadcast.definition_key} v{broadcast.version}{called}  {sentence(broadcast)}"


def _filled(made: Broadcast, path: Path, charset: str) -> Broadcast:
    with path.open("rb") as file:
        media_type = "text/csv" if path.suffix.lower() == ".csv" else "application/x-ndjson"
        targets = targets_in(made, file, media_type, charset)
        return put_targets(tenant_id=made.tenant_id, public_id=made.public_id, targets=targets or ())[0]


def _watched(begun: Broadcast) -> Broadcast:
    """The broadcast when it has ended; until then its progress is drawn on one line of the terminal."""
    while True:
        now = _as_it_is(begun.tenant_id, begun.public_id)
        if sys.stderr.isatty():
            done = now.cursor / now.total if now.total else 0.0
            bar = ("#" * int(done * BAR)).ljust(BAR, ".")
            sys.stderr.write(f"\r{bar} {now.cursor} of {now.total} {now.note or now.status}".ljust(100))
        if now.has_ended:
            sys.stderr.write("\n" if sys.stderr.isatty() else "")
            return now
        time.sleep(WATCH_EVERY)


def _as_it_is(tenant_id: int, public_id: uuid.UUID) -> Broadcast:
    with tenant_scope(tenant_id):
        return broadcast_of(tenant_id, public_id)
