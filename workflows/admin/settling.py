"""What an operator may say of work whose end nobody saw: it took effect, it did not, or try it again."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest

from chimeway_py.errors import ChimewayError
from tenants.admin.actions import ReasonedAction
from tenants.admin.pages import Button
from tenants.admin.paging import ref_of
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import Run, StepRun
from workflows.models.step_run import StepRunStatus
from workflows.services.unknown import AGAIN, settle_unknown, why_not_again
from workflows.states import Cause
from workflows.steps.base import WorkKind
from workflows.steps.registry import step_kind


class SettleAction(ReasonedAction):
    """Settles the unknown step runs of the rows: of runs, or step runs themselves."""

    then: ClassVar[str]

    def outcome(self, kind: WorkKind) -> str:
        """What is said, in the words of the kind."""
        raise NotImplementedError

    def forecast(self, row: Any) -> str:
        steps = [one.step for one in unknown_of(row)]
        return f"{', '.join(steps)}: {self.then}" if steps else "Nothing is unknown about it: refused."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Any], reason: str) -> Iterable[Act]:
        for row in rows:
            kind = str(row._meta.model_name)
            try:
                found = unknown_of(row)
                for one in found:
                    self._settle(request, one, reason)
            except ChimewayError as error:
                yield Act(kind, ref_of(row), error.message)
            else:
                yield Act(kind, ref_of(row), "" if found else "nothing is unknown about it")

    def _settle(self, request: HttpRequest, one: StepRun, reason: str) -> None:
        works = step_kind(one.kind)
        assert isinstance(works, WorkKind)
        settle_unknown(
            tenant_id=one.tenant_id,
            key=one.key,
            outcome=self.outcome(works),
            reason=reason,
            cause=Cause.OPERATOR,
            cause_ref=operator_of(request).username,
        )


class SettleAsDone(SettleAction):
    """It took effect."""

    name, verb = "settle_done", "Settle as done"
    then = "it took effect, you say, and the run goes on."

    def outcome(self, kind: WorkKind) -> str:
        return kind.success


class SettleAsFailed(SettleAction):
    """It did not take effect, and shall not."""

    name, verb = "settle_failed", "Settle as failed"
    then = "it did not take effect, you say, and the run goes on without it."

    def outcome(self, kind: WorkKind) -> str:
        return kind.failure


class TryAgain(SettleAction):
    """It did not take effect, and shall."""

    name, verb = "settle_retry", "Try again"
    then = "it did not take effect, you say, so a worker tries it again. If it did after all, it happens twice."

    def outcome(self, kind: WorkKind) -> str:
        return AGAIN

    def forecast(self, row: Any) -> str:
        refused = [f"{one.step}: refused. {why}" for one in unknown_of(row) if (why := not_again(one))]
        return " ".join(refused) or super().forecast(row)


def settle_buttons(run: Run) -> list[Button]:
    """What may be said of what is unknown about a run. Nobody is asked to try again what would be refused."""
    again = any(not not_again(one) for one in unknown_of(run))
    return [Button(one.verb, action=one.name) for one in SETTLING if again or not isinstance(one, TryAgain)]


def not_again(one: StepRun) -> str:
    """Why it would not be tried again, as a sentence; "" when it would."""
    run = one.run
    return why_not_again(one, state=run.state, step=run.step, visits=run.visits)


def unknown_of(row: Any) -> list[StepRun]:
    """The step runs behind a row of the admin whose outcome is unknown."""
    if isinstance(row, StepRun):
        return [row] if row.status == StepRunStatus.UNKNOWN else []
    mine = StepRun.objects.for_tenant(row.tenant_id).filter(run_id=row.pk, status=StepRunStatus.UNKNOWN)
    return list(mine.select_related("run").order_by("id"))


SETTLING = (SettleAsDone(), SettleAsFailed(), TryAgain())
