"""Say where a run stands and why, or what became of a signal."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import NotFound
from tenants.management.commands.tenant import existing_tenant
from workflows.explain import Explanation, SignalExplanation, explain_run, explain_signal
from workflows.management.arguments import add_tenant, public_id


class Command(BaseCommand):
    help = "Say where a run stands, why, what it waits for and what comes next; or, with --signal, what became of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=public_id, metavar="ID", help="The id of a run, as REST shows it.")
        add_tenant(parser)
        parser.add_argument("--signal", action="store_true", help="ID is the id of a signal.")
        parser.add_argument("--json", action="store_true", help="Write the whole explanation as JSON.")

    def handle(self, *, id: Any, tenant: str, **options: Any) -> None:
        explain = explain_signal if options["signal"] else explain_run
        try:
            explanation = explain(tenant_id=existing_tenant(tenant).pk, public_id=id)
        except NotFound as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(explanation.as_dict(), indent=2, ensure_ascii=False))
            return
        self.stdout.write(explanation.sentence)
        lines = _of_run(explanation) if isinstance(explanation, Explanation) else _of_signal(explanation)
        for name, value in lines:
            self.stdout.write(f"  {name:<12} {value}")


def _of_run(said: Explanation) -> list[tuple[str, str]]:
    lines = [
        ("run", f"{said.run} of {said.definition} v{said.version} for {said.subject}"),
        ("state", f"{said.state} ({said.reason}) since {said.since:%Y-%m-%d %H:%M:%S %Z}"),
    ]
    for one in said.next:
        at = f" at {one.at:%Y-%m-%d %H:%M:%S %Z}" if one.at else ""
        lines.append(("next", f"{one.on} {one.name}".strip() + f"{at}: {_target(one.then)}"))
    lines += [("action", f"{one.name}{'' if one.allowed else f': no. {one.why_not}'}") for one in said.actions]
    if said.last_attempt is not None:
        last = said.last_attempt
        outcome = "in flight" if last.in_flight_since else last.outcome
        lines.append(("attempt", f"{last.number} of {last.step}: {outcome} {last.error}".rstrip()))
    if said.last_outcome is not None:
        ended = said.last_outcome
        lines.append(("outcome", f"{ended.step}: {ended.outcome} {ended.error}".rstrip()))
    return [*lines, ("evidence", "seq " + ", ".join(map(str, said.evidence)))]


def _of_signal(said: SignalExplanation) -> list[tuple[str, str]]:
    lines = [
        ("signal", f"{said.signal} {said.name} from {said.source}, {said.external_id}"),
        ("verdict", f"{said.verdict or 'none yet'} {f'({said.reason})' if said.reason else ''}".rstrip()),
    ]
    return lines + [("run", f"{one.run} of {one.definition}: {one.verdict}. {one.sentence}") for one in said.runs]


def _target(then: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in then.items())
