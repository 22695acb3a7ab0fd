"""What people do to a digest that still collects: close it now, or take an item out."""

import uuid
from datetime import datetime

from chimeway_py.errors import Conflict, NotFound
from chimeway_py.nudges import nudge_after_commit
from tenants.scope import tenant_scope
from workflows.digests.closing import Asked, close_digest
from workflows.digests.leaving import leave_digests
from workflows.digests.output import REMOVED
from workflows.engine.events import StepSettled
from workflows.models.digest import Digest, DigestItem, DigestStatus, Left
from workflows.store import write
from workflows.store.batch import RunBatch


class DigestNotFound(NotFound):
    """No such digest, or no such item in it, in this tenant."""

    code = "digest_not_found"


class DigestClosed(Conflict):
    """The digest has been closed: its leader went on with the items. Nothing was changed."""

    code = "digest_closed"


class ItemGone(Conflict):
    """The item is not in the digest any more. `detail` says since when and why."""

    code = "digest_item_gone"


def find_digest(*, tenant_id: int, public_id: uuid.UUID) -> Digest:
    """The digest, with the run that went on with it. Raises `DigestNotFound`."""
    with tenant_scope(tenant_id):
        rows = Digest.objects.filter(tenant_id=tenant_id, public_id=public_id).select_related("leader_run")
        found = rows.first()
        if found is None:
            raise DigestNotFound
        return found


def flush_digest(*, tenant_id: int, public_id: uuid.UUID, asked: Asked, now: datetime | None = None) -> Digest:
    """Close a digest before its time; as it stands then. Raises `DigestNotFound` and `DigestClosed`."""
    with tenant_scope(tenant_id):
        digest = find_digest(tenant_id=tenant_id, public_id=public_id)
        if not close_digest(tenant_id=tenant_id, digest_id=digest.pk, asked=asked, now=now):
            raise DigestClosed(detail={"digest": str(public_id)})
        nudge_after_commit("digests", tenant_id)  # the members are told next
        return find_digest(tenant_id=tenant_id, public_id=public_id)


def remove_item(*, tenant_id: int, public_id: uuid.UUID, position: int, asked: Asked) -> DigestItem:
    """Take one item out; its run goes on as `removed` says. Raises `DigestNotFound`, `DigestClosed` and `ItemGone`."""
    with tenant_scope(tenant_id):
        digest = find_digest(tenant_id=tenant_id, public_id=public_id)
        item = _item(digest, position)
        batch = RunBatch.lock(tenant_id, [item.run_id])
        digest = Digest.objects.select_for_update(no_key=True).get(tenant_id=tenant_id, id=digest.pk)
        item = _item(digest, position)
        if item.left_at is not None:
            raise ItemGone(detail={"left_at": item.left_at.isoformat(), "why": item.left_why})
        if digest.status == DigestStatus.CLOSED:
            raise DigestClosed(detail={"digest": str(public_id)})
        leave_digests(tenant_id, [item.step_run_id], batch.now, Left.REMOVED)
        write.settle_step_runs(tenant_id, [(item.step_run_id, "cancelled", REMOVED)], batch.now)
        context = {"digest": str(public_id), "position": position, "why": asked.why}
        event = StepSettled(digest.step, item.visit, REMOVED, asked.cause_ref, context, asked.cause)
        batch.apply(item.run_id, event)
        batch.flush()
        return _item(digest, position)


def _item(digest: Digest, position: int) -> DigestItem:
    rows = DigestItem.objects.filter(tenant_id=digest.tenant_id, digest_id=digest.pk, position=position)
    found = rows.select_related("run").first()
    if found is None:
        raise DigestNotFound("There is no such item.")
    return found
