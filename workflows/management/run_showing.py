"""`runs show`: one run with its steps and every try at them."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from tenants.scope import tenant_scope
from workflows.management.arguments import public_id
from workflows.management.verbs import Verb
from workflows.models import Run, StepRun
from workflows.services.runs import fetch_run


class ShowRun(Verb):
    """Shows one run as it is stored; why it stands there, `explain` tells."""

    name, help = "show", "Print a run, its steps, and every try at them."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which run."""
        parser.add_argument("run", type=public_id, metavar="RUN")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Where it stands; then each visit that owed work, in order, with its tries under it."""
        with tenant_scope(tenant_id):
            run = fetch_run(tenant_id=tenant_id, public_id=options["run"])
            yield from _standing(run)
            visits = StepRun.objects.for_tenant(tenant_id).filter(run_id=run.pk).order_by("id")
            for one in visits.prefetch_related("attempts"):
                yield f"{one.key}  {one.status}  {one.outcome or '-'}"
                for tried in sorted(one.attempts.all(), key=lambda attempt: attempt.number):
                    error = f"  {tried.error}" if tried.error else ""
                    yield f"  attempt {tried.number}  {tried.status}  {tried.outcome or '-'}  {tried.worker}{error}"


def _standing(run: Run) -> Iterator[str]:
    version = f"{run.definition_key} v{run.definition.version}"
    yield f"{run.public_id}  {run.state}  {version}  {run.step or '-'}  {run.subject}"
    yield f"revision {run.revision}, {run.status_reason}"
    times = {"due": run.due_at, "deadline": run.deadline_at, "paused until": run.suspended_until}
    yield from (f"{name} {at:%Y-%m-%d %H:%M:%S} UTC" for name, at in times.items() if at is not None)
