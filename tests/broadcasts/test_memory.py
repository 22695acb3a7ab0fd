"""Memory does not grow with the number of targets: they are read, checked, stored and started piece by piece."""

import gc
import io
import tracemalloc
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from deliveries.broadcasts import turn
from deliveries.broadcasts.making import put_targets
from deliveries.broadcasts.preview import preview
from deliveries.broadcasts.uploading import targets_in
from deliveries.models import Broadcast
from tenants.scope import tenant_scope
from tests.broadcasts.conftest import Sender

FEW, MANY = 500, 2000
OF_A_TARGET = 200  # bytes that may be kept of each while a file is read: a mark of its subject, to find repeats


def peak(step: Callable[[], Any]) -> int:
    """The most memory that is taken meanwhile, in bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def file_of(targets: int) -> io.BytesIO:
    rows = (f"customer_{number},Hello number {number},pro\n" for number in range(targets))
    return io.BytesIO(("subject,data.headline,recipient.attributes.plan\n" + "".join(rows)).encode())


def steps_of(sender: Sender, targets: int) -> dict[str, int]:
    """What each step of a broadcast to so many takes at most."""
    public_id, file, tenant_id = uuid.UUID(sender.make()["id"]), file_of(targets), sender.tenant.pk

    def upload() -> None:
        with tenant_scope(tenant_id):
            broadcast = Broadcast.objects.get(tenant_id=tenant_id, public_id=public_id)
            put_targets(tenant_id=tenant_id, public_id=public_id, targets=targets_in(broadcast, file, "text/csv") or ())

    taken = {"upload": peak(upload)}
    taken["preview"] = peak(lambda: preview(tenant_id=tenant_id, public_id=public_id))
    sender.start(str(public_id))
    taken["turn"] = peak(lambda: turn.broadcast_turn(tenant_id=tenant_id))
    sender.rest.post(f"/v1/broadcasts/{public_id}/cancel", {"reason": "measured"})
    return taken


def test_memory_does_not_grow_with_the_number_of_targets(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TURN_SECONDS", "TAKE_UP_SECONDS"):
        monkeypatch.setattr(turn, name, 0.0)  # one slice, which is what a turn is made of
    steps_of(sender, 10)  # what is kept once for all of them: statements, documents

    few, many = steps_of(sender, FEW), steps_of(sender, MANY)

    assert many["upload"] - few["upload"] < (MANY - FEW) * OF_A_TARGET
    assert many["preview"] < few["preview"] * 1.5
    assert many["turn"] < few["turn"] * 1.5
