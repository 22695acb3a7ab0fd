"""The verbs of `manage.py recipients`."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chimeway_py.api.json_gate import read_json
from chimeway_py.errors import Invalid, NotFound
from deliveries.channels.registry import channels
from deliveries.models import Delivery, Recipient
from deliveries.preferences.storing import put_preferences, rules_of
from deliveries.recipients.history import latest
from deliveries.recipients.searching import deliveries_to, recipients_at
from deliveries.recipients.upsert import merge_recipients
from deliveries.recipients.why import why
from tenants.audit.commands import add_by
from tenants.scope import tenant_scope
from workflows.management.verbs import Verb
from workflows.withheld.reading import Withheld

AT_ONCE = 500
ANSWERS = {"yes": True, "no": False, "forget": None}


class PutRecipients(Verb):
    """From a file, however long: in groups of which each is stored whole or not at all."""

    name = "put"
    help = "Make or change recipients from a file of JSON lines."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("file", type=Path, help='One {"id": …, "addresses": {…}, …} a line.')
        add_by(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """How many were made, and how many were there before."""
        made = changed = 0
        for group in _groups(options["file"]):
            stored = merge_recipients(tenant_id=tenant_id, said=group)
            made += sum(one.created for one in stored)
            changed += sum(not one.created for one in stored)
        yield json.dumps({"created": made, "met": changed})


class ShowRecipient(Verb):
    """Whoever may run commands may read what they open."""

    name = "show"
    help = "Print a recipient and their preferences as JSON."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("id", help="The subject of their runs.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line. Raises `NotFound` for whoever nothing is known of."""
        with tenant_scope(tenant_id):
            row = Recipient.objects.filter(tenant_id=tenant_id, external_id=options["id"]).first()
            rules = [str(rule) for rule in rules_of(tenant_id, options["id"])]
            if row is None and not rules:
                raise NotFound
            told = {"zone": row.zone, "locale": row.locale, **row.person} if row is not None else {}
        yield json.dumps({"id": options["id"], **told, "preferences": rules}, ensure_ascii=False)


class Prefer(Verb):
    """One rule."""

    name = "prefer"
    help = "Say whether a recipient wants something; without ID, what holds for whoever said nothing."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("answer", choices=sorted(ANSWERS), help="forget: take the rule away.")
        parser.add_argument("id", nargs="?", default="")
        parser.add_argument("--category", default="")
        parser.add_argument("--workflow", default="", help="Instead of a category.")
        parser.add_argument("--channel", default="", choices=["", *sorted(channels())])
        add_by(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """All rules as they are now."""
        about = {name: options[name] for name in ("category", "workflow", "channel") if options[name]}
        rule = about | {"allowed": ANSWERS[options["answer"]]}
        said = {"tenant_id": tenant_id, "subject": options["id"], "said_by": "command"}
        yield from map(str, put_preferences(**said, rules=[rule], replace=False))


class History(Verb):
    """For a support desk at the command line."""

    name = "history"
    help = "Print what was sent to a recipient or withheld, and why, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("id", help="The subject of their runs.")
        parser.add_argument("--limit", type=int, default=20)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A line for each message, and for each visit that withheld one."""
        with tenant_scope(tenant_id) as scope:
            found = latest(tenant_id, options["id"], max(options["limit"], 0))
        yield from (_told(one, scope.now) if isinstance(one, Delivery) else _told_visit(one) for one in found)


class SentTo(Verb):
    """The address is read from standard input: arguments are seen by everybody on the machine."""

    name = "sent_to"
    help = "Print what was sent to the address that is given on standard input, or withheld, and why."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("--limit", type=int, default=20)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A line for each message, with whose it was."""
        address = sys.stdin.readline()
        with tenant_scope(tenant_id) as scope:
            mine = deliveries_to(tenant_id, address).select_related("step_run")
            found = list(mine.order_by("-id")[: max(options["limit"], 0)])
        yield from (f"{one.subject}: {_told(one, scope.now)}" for one in found)


class Find(Verb):
    """The address is read from standard input, as above."""

    name, help = "find", "Print who has the address that is given on standard input."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("--limit", type=int, default=20)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Their ids, newest first."""
        with tenant_scope(tenant_id):
            found = recipients_at(tenant_id, sys.stdin.readline()).order_by("-id")
            yield from list(found.values_list("external_id", flat=True)[: max(options["limit"], 0)])


def _told(one: Delivery, now: datetime) -> str:
    what = f"{one.planned_at:%Y-%m-%d %H:%M} {one.channel:<8} {one.definition_key} {one.status}"
    return f"{what}: {why(one, now)}"


def _told_visit(one: Withheld) -> str:
    return f"{one.at:%Y-%m-%d %H:%M} {one.kind:<8} {one.row.run.definition_key} {one.status}: {one.why}"


def _groups(path: Path) -> Iterator[list[tuple[str, Any]]]:
    """The recipients of a file, some at a time. Raises `Invalid` for a line that is no recipient, and OSError."""
    group: list[tuple[str, Any]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            group.append(_read(line, number))
            if len(group) == AT_ONCE:
                yield group
                group = []
    if group:
        yield group


def _read(line: bytes, number: int) -> tuple[str, Any]:
    """Read as a body of REST is: what could not be stored is refused by its line."""
    try:
        said = read_json(line)
    except Invalid as error:
        faults = [{**one, "path": f"/{number}{one['path']}"} for one in error.detail if isinstance(one, Mapping)]
        raise Invalid("The file is not JSON lines.", faults) from None
    return said.pop("id", ""), said
