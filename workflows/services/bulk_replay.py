"""Replaying many ended runs: each by itself, with a verdict that names the new run."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from chimeway_py.errors import ChimewayError
from tenants.limits.errors import BeyondLimit, LimitReached
from tenants.scope import tenant_scope
from workflows.models import Run
from workflows.services.control import ControlVerdict, run_ids
from workflows.services.replay import Version, replay_run
from workflows.states import Cause

MOST_REPLAYS = 200  # in one batch: each is a start of its own


@dataclass(frozen=True, slots=True)
class Replaying:
    """How runs are replayed: on which version, and in spite of what."""

    version: Version = "same"
    allow_irreversible: bool = False


def replay_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    cause: Cause,
    cause_ref: str,
    reason: str,
    mark: str,
    replaying: Replaying | None = None,
) -> list[ControlVerdict]:
    """Replay runs that have ended; one that `replay_run` refuses is refused with its reason, and the others go on.

    Under the same `mark` a run is replayed once: again it is answered with the run that was started. Raises
    `RunNotFound`, and `LimitReached` or `BeyondLimit`; nothing is then written.
    """
    with tenant_scope(tenant_id):
        run_ids(tenant_id=tenant_id, public_ids=public_ids)
        how = replaying or Replaying()
        rows = Run.objects.for_tenant(tenant_id).filter(public_id__in=public_ids)
        found = {row.public_id: row for row in rows.only("public_id", "state", "revision", "tenant_id")}
        return [_replay(found[one], how, (cause, cause_ref, reason), mark) for one in public_ids]


def _replay(run: Run, how: Replaying, said: tuple[Cause, str, str], mark: str) -> ControlVerdict:
    cause, cause_ref, reason = said
    stands = run.public_id, run.state, run.revision
    try:
        started = replay_run(
            tenant_id=run.tenant_id,
            public_id=run.public_id,
            cause=cause,
            cause_ref=cause_ref,
            reason=reason,
            version=how.version,
            allow_irreversible=how.allow_irreversible,
            idempotency_key=f"replay of {run.public_id} by plan {mark}",
        )
    except (LimitReached, BeyondLimit):
        raise
    except ChimewayError as error:
        return _verdict(*stands, "refused", why=error.message)
    return _verdict(*stands, "moved", replay=started.public_id)


def _verdict(
    public_id: uuid.UUID, state: str, revision: int, verdict: str, *, why: str = "", replay: uuid.UUID | None = None
) -> ControlVerdict:
    return ControlVerdict(public_id, verdict, state, revision, why=why, replay=replay)
