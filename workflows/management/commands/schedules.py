"""Create, change, list, preview, switch and delete schedules."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chimeway_py.errors import ChimewayError
from chimeway_py.text import utc_minute
from tenants.management.commands.tenant import existing_tenant
from tenants.scope import tenant_scope
from workflows.management.arguments import add_tenant, members
from workflows.management.recording import in_the_name
from workflows.models import MissedPolicy, Schedule
from workflows.services.schedules import change_schedule, create_schedule, delete_schedule, schedule_named, upcoming

CHANGEABLE = ("definition_key", "expression", "subjects", "zone", "data", "missed", "most_missed")

LOOKING = ("list", "preview")


class Command(BaseCommand):
    help = "Create, change, list, preview, switch and delete schedules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Start runs again and again, by the calendar.")
        create.add_argument("key", metavar="KEY")
        create.add_argument("workflow", metavar="WORKFLOW", help="The key of a published definition.")
        create.add_argument("expression", metavar="CRON", help="Five fields, such as '0 9 * * 1-5'.")
        create.add_argument("subjects", nargs="+", metavar="SUBJECT", help="One run each.")
        create.add_argument("--zone", default="", help="The tenant's own when left out.")
        create.add_argument("--version", type=int, dest="number", help="The latest, each time, when left out.")
        create.add_argument("--correlation", action="append", default=[], metavar="NAME=VALUE")
        create.add_argument("--data", type=members, default={}, metavar="JSON")
        create.add_argument("--missed", choices=MissedPolicy.values, default="latest", help="What is made up for.")
        create.add_argument("--most-missed", type=int, default=10, metavar="N", help="With --missed all.")
        change = verbs.add_parser("change", help="Change what is named; the rest stays, and it counts from now on.")
        change.add_argument("key", metavar="KEY")
        change.add_argument("--workflow", dest="definition_key", metavar="WORKFLOW")
        change.add_argument("--expression", metavar="CRON")
        change.add_argument("--subject", action="append", dest="subjects", metavar="SUBJECT", help="All of them.")
        change.add_argument("--zone")
        change.add_argument("--version", type=_version, dest="number", metavar="N", help="Or latest, each time.")
        change.add_argument("--correlation", action="append", metavar="NAME=VALUE")
        change.add_argument("--data", type=members, metavar="JSON")
        change.add_argument("--missed", choices=MissedPolicy.values)
        change.add_argument("--most-missed", type=int, metavar="N")
        verbs.add_parser("list", help="List schedules by their keys.")
        for name, text in (
            ("preview", "Print the next five occurrences."),
            ("enable", "Switch a schedule on; it fires from now on."),
            ("disable", "Switch a schedule off."),
            ("delete", "Forget a schedule; its runs stay."),
        ):
            verbs.add_parser(name, help=text).add_argument("key", metavar="KEY")
        for name, verb in verbs.choices.items():
            add_tenant(verb)
            if name not in LOOKING:
                verb.add_argument("--by", default="", metavar="NAME", help="Who asks for it.")

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            with in_the_name(tenant_id, f"schedules {verb}", options, lambda: _named(tenant_id, options)):
                getattr(self, f"_{verb}")(tenant_id, options)
        except ChimewayError as error:
            raise CommandError(error.line) from error

    def _create(self, tenant_id: int, options: dict[str, Any]) -> None:
        made = create_schedule(
            tenant_id=tenant_id,
            definition_key=options["workflow"],
            version=options["number"],
            correlation=dict(pair.partition("=")[::2] for pair in options["correlation"]),
            **{name: options[name] for name in ("key", "expression", "subjects", "zone", "data")},
            **{name: options[name] for name in ("missed", "most_missed")},
        )
        self._tell(made)

    def _change(self, tenant_id: int, options: dict[str, Any]) -> None:
        given = {name: options[name] for name in CHANGEABLE if options[name] is not None}
        if options["number"] is not None:
            given["version"] = options["number"] or None
        if options["correlation"] is not None:
            given["correlation"] = dict(pair.partition("=")[::2] for pair in options["correlation"])
        self._tell(change_schedule(tenant_id=tenant_id, key=options["key"], changes=given))

    def _list(self, tenant_id: int, options: dict[str, Any]) -> None:
        with tenant_scope(tenant_id):
            for schedule in Schedule.objects.filter(tenant_id=tenant_id).order_by("key"):
                self._tell(schedule)

    def _preview(self, tenant_id: int, options: dict[str, Any]) -> None:
        with tenant_scope(tenant_id):
            for occurrence in upcoming(schedule_named(tenant_id, options["key"]), timezone.now()):
                self.stdout.write(utc_minute(occurrence))

    def _enable(self, tenant_id: int, options: dict[str, Any]) -> None:
        self._tell(change_schedule(tenant_id=tenant_id, key=options["key"], changes={"enabled": True}))

    def _disable(self, tenant_id: int, options: dict[str, Any]) -> None:
        self._tell(change_schedule(tenant_id=tenant_id, key=options["key"], changes={"enabled": False}))

    def _delete(self, tenant_id: int, options: dict[str, Any]) -> None:
        delete_schedule(tenant_id=tenant_id, key=options["key"])

    def _tell(self, schedule: Schedule) -> None:
        when = f"next at {utc_minute(schedule.next_at)}" if schedule.next_at else "off"
        refused = f", refused last: {schedule.refusal}" if schedule.refusal else ""
        self.stdout.write(
            f"{schedule.key}  {schedule.definition_key}  {schedule.expression} ({schedule.zone})  {when}{refused}"
        )


def _named(tenant_id: int, options: dict[str, Any]) -> list[Schedule]:
    return list(Schedule.objects.filter(tenant_id=tenant_id, key=options["key"]))


def _version(text: str) -> int:
    """A version; 0 is none of them, but the latest that there is."""
    return 0 if text == "latest" else int(text)
