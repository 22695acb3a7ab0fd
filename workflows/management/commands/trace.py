"""Print the trace of a run."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from workflows.api.run_schemas import TransitionSerializer
from workflows.management.arguments import add_tenant, public_id
from workflows.models import Transition
from workflows.trace import MOST_LINES, read_trace

_HEAD = ("seq", "time (UTC)", "from", "to", "step", "reason", "cause", "context")
_WIDTHS = (4, 23, 9, 9, 20, 18, 9, 0)


class Command(BaseCommand):
    help = "Print the transitions of a run, oldest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=public_id, metavar="RUN", help="The id of a run, as REST shows it.")
        add_tenant(parser)
        parser.add_argument("--after", type=int, default=0, metavar="SEQ", help="Only lines after this seq.")
        parser.add_argument("--limit", type=int, default=100, metavar="N", help=f"At most {MOST_LINES} lines (100).")
        parser.add_argument("--json", action="store_true", help="One JSON object a line.")

    def handle(self, *, run: Any, tenant: str, after: int, limit: int, **options: Any) -> None:
        try:
            page = read_trace(tenant_id=existing_tenant(tenant).pk, public_id=run, after=after, limit=limit)
        except ChimewayError as error:
            raise CommandError(_told(error)) from error
        if options["json"]:
            for line in page.transitions:
                self.stdout.write(json.dumps(TransitionSerializer(line).data, ensure_ascii=False))
            return
        self.stdout.write(_columns(_HEAD))
        for line in page.transitions:
            self.stdout.write(_columns(_row(line)))
        if page.next_after is not None:
            self.stderr.write(f"There is more: --after {page.next_after}")


def _row(line: Transition) -> tuple[str, ...]:
    step = f"{line.step} #{line.visit}" if line.step else ""
    context = ", ".join(f"{name}={json.dumps(value)}" for name, value in line.context.items())
    at = f"{line.occurred_at:%Y-%m-%d %H:%M:%S.%f}"[:23]
    return (str(line.seq), at, line.from_state, line.to_state, step, line.reason, line.cause, context)


def _columns(values: tuple[str, ...]) -> str:
    return "  ".join(value.ljust(width) for value, width in zip(values, _WIDTHS, strict=True)).rstrip()


def _told(error: ChimewayError) -> str:
    faults = error.detail if isinstance(error.detail, list) else []
    return " ".join([error.message, *(f"{one['path']}: {one['message']}" for one in faults)])
