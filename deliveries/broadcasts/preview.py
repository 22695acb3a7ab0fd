"""Looking at a draft before it starts: how many, who is first, whom preferences hold back, a token to start it."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deliveries.broadcasts.errors import BroadcastNotDraft, PreviewChanged
from deliveries.broadcasts.making import data_of
from deliveries.broadcasts.segments import count_matches
from deliveries.broadcasts.standing import broadcast_of
from deliveries.broadcasts.targets import chunks_of, new_run, said_of
from deliveries.channels.base import Undeliverable
from deliveries.channels.registry import channel
from deliveries.models import Broadcast, BroadcastSource, BroadcastStatus
from deliveries.preferences.deciding import About, decide
from deliveries.recipients.addressing import addressed, recipient_tree, whom
from deliveries.standing import Standing, standing_of
from tenants.scope import tenant_scope
from workflows.services.documents import Loaded
from workflows.services.start import NewRun
from workflows.services.start_checks import startable
from workflows.steps.sources import Facts, facts_of

GOOD_FOR = timedelta(hours=24)
FIRST = 10
LOOKED_AT = 500  # targets whose preferences are asked


@dataclass(frozen=True, slots=True)
class Preview:
    """What starting a draft would do now. `token` starts this very draft and no other.

    `held_back` says of the first `looked_at` targets how many have refused what a step sends, by step, and
    `without_address` how many it could not reach. Nobody counts as both. `total` of a segment is a count of now; with
    `is_whole` false there are more recipients than were looked at.
    """

    broadcast: Broadcast
    token: str
    total: int
    is_whole: bool
    skipped: Mapping[str, int]
    first: tuple[str, ...]
    looked_at: int
    held_back: Mapping[str, int]
    without_address: Mapping[str, int]
    latest_version: int


def preview(*, tenant_id: int, public_id: uuid.UUID) -> Preview:
    """Look at a draft. Reads only. Raises `BroadcastNotFound`, `BroadcastNotDraft`, `DefinitionNotFound`."""
    with tenant_scope(tenant_id) as scope:
        broadcast = broadcast_of(tenant_id, public_id)
        if broadcast.status != BroadcastStatus.DRAFT:
            raise BroadcastNotDraft
        loaded = startable(tenant_id, broadcast.definition_key, broadcast.version)
        total, is_whole, subjects, runs = _whom(broadcast)
        held_back, without_address = _not_told(loaded, runs, standing_of(tenant_id, subjects))
        return Preview(
            broadcast=broadcast,
            token=_token(broadcast, scope.now),
            total=total,
            is_whole=is_whole,
            skipped=broadcast.skipped_by_reason,
            first=tuple(subjects[:FIRST]),
            looked_at=len(runs),
            held_back=held_back,
            without_address=without_address,
            latest_version=startable(tenant_id, broadcast.definition_key, None).version,
        )


def require_preview(broadcast: Broadcast, token: str, now: datetime) -> None:
    """Raises `PreviewChanged` unless the token is of a preview of this draft as it is now."""
    as_of = _as_of(token)
    if as_of is None or not now - GOOD_FOR <= as_of <= now or token != _token(broadcast, as_of):
        raise PreviewChanged


def _whom(broadcast: Broadcast) -> tuple[int, bool, list[str], list[NewRun]]:
    """How many there are, whether that is all, and the first of them with the runs that they would get."""
    data = data_of(broadcast)
    if broadcast.source == BroadcastSource.SEGMENT:
        count = count_matches(tenant_id=broadcast.tenant_id, condition=broadcast.condition)
        return (
            count.matches,
            count.is_whole,
            list(count.sample),
            [new_run(broadcast, one, {}, data) for one in count.sample],
        )
    chunk = next(chunks_of(broadcast), None)
    if chunk is None:
        return 0, True, [], []
    said = said_of(chunk)
    wanted = [index for index in range(len(chunk.subjects)) if str(index) not in chunk.skipped][:LOOKED_AT]
    runs = [new_run(broadcast, chunk.subjects[index], said[index], data) for index in wanted]
    return broadcast.total, True, [run.subject for run in runs], runs


def _not_told(loaded: Loaded, runs: Sequence[NewRun], standing: Standing) -> tuple[dict[str, int], dict[str, int]]:
    """By step that delivers, of how many of these runs its message is not wanted, and how many have no address."""
    steps = [step.config for step in loaded.document.steps if step.kind == "deliver"]  # with what the definition says
    held, nowhere = Counter[str](), Counter[str]()
    for run in runs:
        facts = facts_of(
            run_public_id="", subject=run.subject, correlation=run.correlation, definition_key=loaded.key, data=run.data
        )
        there = {step["key"]: _has_address(step, facts, standing) for step in steps}
        nowhere.update(key for key, has in there.items() if not has)
        wanted = (step for step in steps if there[step["key"]])  # as a step asks: where to, and then whether
        held.update(step["key"] for step in wanted if not _may_go(step, loaded.key, facts, standing))
    return dict(held), dict(nowhere)


def _has_address(step: Mapping[str, Any], facts: Facts, standing: Standing) -> bool:
    """Whether the step finds an address. One that an earlier step will bring is not known yet, and counts as found."""
    if any(str(step.get(name, "")).startswith("steps.") for name in ("to", "recipient")):
        return True
    chosen = channel(step["channel"])
    try:
        there = addressed(step, facts, chosen, standing.recipients.get(whom(step, facts)))
        return bool(chosen.recipient(there.step, there.facts))
    except Undeliverable:
        return False


def _may_go(step: Mapping[str, Any], workflow: str, facts: Mapping[str, Any], standing: Standing) -> bool:
    recipient = whom(step, facts)
    category = step.get("category", "")
    return decide(
        About(category, workflow, step["channel"]),
        {**facts, "recipient": recipient_tree(recipient, standing.recipients.get(recipient))},
        is_required=category in standing.required,
        own=standing.rules.get(recipient, ()),
        defaults=standing.rules.get("", ()),
    ).allowed


def _token(broadcast: Broadcast, as_of: datetime) -> str:
    """The instant, and a digest of which draft this is, and of how often its targets were replaced."""
    micros = int(as_of.timestamp() * 1_000_000)
    said = [broadcast.tenant_id, str(broadcast.public_id), broadcast.revision, broadcast.total, micros]
    return f"{micros:x}.{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]}"


def _as_of(token: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(token.partition(".")[0], 16))
    except (ValueError, OverflowError):
        return None
