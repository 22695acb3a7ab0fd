"""Filling a draft with targets: all are checked, and written in chunks, or the faults of all are told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.conf import settings

from chimeway_py.errors import Invalid, fault
from deliveries.broadcasts.targets import CHUNK, Faulty, Target, checked_run, new_chunk, store_chunk
from deliveries.models import Broadcast
from signals_app.services.payloads import digest
from workflows.services.documents import Loaded
from workflows.services.start_checks import check_starts

MOST_FAULTS = 100  # that are listed; all are counted


def fill(broadcast: Broadcast, loaded: Loaded, data: Mapping[str, Any], targets: Iterable[Target | Faulty]) -> bool:
    """Write the targets, in the caller's transaction; whether anything is said of recipients.

    A chunk of them is in memory, and a mark of 16 bytes for each subject. Raises `Invalid`, and then the transaction
    must end.
    """
    filling = _Filling(broadcast, loaded, data)
    for target in targets:
        filling.take(target)
    filling.flush()
    if filling.refused:
        more = f"; the first {MOST_FAULTS} are listed" if filling.refused > MOST_FAULTS else ""
        many = "1 fault" if filling.refused == 1 else f"{filling.refused} faults"
        raise Invalid(f"{many}{more}. Nothing was stored.", filling.faults)
    broadcast.total = filling.position
    broadcast.skipped = {"duplicate": filling.duplicates} if filling.duplicates else {}
    return filling.tells_recipients


def listed(subjects: Sequence[str]) -> Iterator[Target | Faulty]:
    """The targets that a list of subjects names."""
    for line, subject in enumerate(subjects, start=1):
        yield Target(line, subject)


def faults_in(error: Invalid) -> list[dict[str, Any]]:
    """The faults that a refusal lists."""
    return [] if isinstance(error.detail, Mapping) else [dict(one) for one in error.detail]


class _Filling:
    """Targets on their way into chunks."""

    def __init__(self, broadcast: Broadcast, loaded: Loaded, data: Mapping[str, Any]) -> None:
        self.broadcast, self.loaded, self.data = broadcast, loaded, data
        self.group: list[Target] = []
        self.seen: set[bytes] = set()
        self.position = self.duplicates = self.refused = 0
        self.faults: list[Mapping[str, Any]] = []
        self.tells_recipients = False

    def take(self, target: Target | Faulty) -> None:
        """The next one."""
        if isinstance(target, Faulty):
            self._refuse(target)
            return
        self.group.append(target)
        if len(self.group) == CHUNK:
            self.flush()

    def flush(self) -> None:
        """Check what was taken, and write it unless a fault was found, here or before."""
        group, self.group = self.group, []
        if self.position + len(group) > settings.BROADCAST_MAX_TARGETS:
            at_most = f"At most {settings.BROADCAST_MAX_TARGETS} targets."
            raise Invalid(f"{at_most} Nothing was stored.", [fault("", "too_many", at_most)])
        self._check(group)
        if group and not self.refused:
            self._write(group)
        self.position += len(group)

    def _refuse(self, faulty: Faulty) -> None:
        self.refused += len(faulty.faults)
        room = MOST_FAULTS - len(self.faults)
        self.faults += [{**one, "line": faulty.line} for one in faulty.faults[:room]]

    def _check(self, group: Sequence[Target]) -> None:
        try:
            check_starts(
                self.loaded, [checked_run(self.broadcast, one.subject, one.said(), self.data) for one in group]
            )
        except Invalid as error:
            for index, found in groupby(faults_in(error), lambda one: int(one["path"].split("/")[1])):
                self._refuse(Faulty(group[index].line, [_placed(one, group[index]) for one in found]))

    def _write(self, group: Sequence[Target]) -> None:
        chunk = new_chunk(self.broadcast, self.position, group)
        for index, target in enumerate(group):
            self.tells_recipients = self.tells_recipients or target.recipient is not None
            mark = digest(target.subject)[:16]
            if mark in self.seen:
                chunk.skipped[str(index)] = "duplicate"
                self.duplicates += 1
            self.seen.add(mark)
        store_chunk(chunk)


def _placed(found: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """A fault of a start, by the line that it is on and the column that holds what it is about."""
    path = "/" + found["path"].split("/", 2)[2]
    column = target.column_of(path)
    return {**found, "path": f"/{target.line}{path}"} | ({"column": column} if column else {})
