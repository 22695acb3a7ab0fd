"""Holding kept heads against the database: who signed them, whether they are whole, and whether traces still have them.

A trace may have grown and a run may have been pruned since; what a head told of must still be there, or under a
tombstone that says the same end.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from tenants.scope import tenant_scope
from tenants.sql import arrays, fetch, given
from workflows.heads.keys import PublicKeys, is_signed
from workflows.heads.leaves import Leaf, digest_of, leaves_of
from workflows.heads.signing import tenant_name
from workflows.models import TraceHead

BATCH = 1000  # leaves in one statement
_TOLD = {"run": "uuid", "seq": "int"}
_STANDS = f"""
SELECT r.seq, t.hash, s.ends
  FROM {given(_TOLD, "position")}
  LEFT JOIN LATERAL (
    SELECT id, seq FROM workflows_run WHERE tenant_id = %s AND public_id = u.run OFFSET 0) r ON true
  LEFT JOIN LATERAL (
    SELECT hash FROM workflows_transition WHERE tenant_id = %s AND run_id = r.id AND seq = u.seq OFFSET 0) t ON true
 CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_array(length, encode(last_hash, 'hex'))), '[]') AS ends
      FROM workflows_tombstone WHERE tenant_id = %s AND run_public_id = u.run) s
 ORDER BY u.position
"""  # noqa: S608  column types of our own


class HeadFault(TextChoices):
    """What can be wrong when kept heads are held against the database."""

    NO_HEAD = "no_head"
    OTHER_TENANT = "other_tenant"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    BROKEN_CHAIN = "broken_chain"
    HEAD_MISSING = "head_missing"
    HEAD_CHANGED = "head_changed"
    RUN_GONE = "run_gone"
    TRACE_CUT = "trace_cut"
    TRACE_REWRITTEN = "trace_rewritten"
    TOMBSTONE_CHANGED = "tombstone_changed"


OF_RUNS = frozenset({HeadFault.RUN_GONE, HeadFault.TRACE_CUT, HeadFault.TRACE_REWRITTEN, HeadFault.TOMBSTONE_CHANGED})


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is wrong: with the head of this number, and with this run, if it is one of a run."""

    number: int
    run: str
    code: HeadFault
    message: str


@dataclass(slots=True)
class Checked:
    """How much was held against the database."""

    heads: int = 0
    leaves: int = 0


def check_heads(*, tenant_id: int, lines: Iterable[str], keys: PublicKeys, checked: Checked) -> Iterator[Found]:
    """What is wrong with kept heads, or with traces since: each run is named once. Nothing means that all still hold.

    Only what one of the keys signed is believed. The file is read line by line; `checked` is told how far it has come.
    """
    before: tuple[int, bytes] | None = None
    named = set[str]()
    for number, line in enumerate(lines, start=1):
        said = _read(line)
        if said is None:
            yield Found(number, "", HeadFault.NO_HEAD, f"Line {number} of the file is no head.")
            return
        faults = list(_of_head(tenant_id, said, keys, before))
        yield from faults
        before = None if faults else (said["number"], bytes.fromhex(said["digest"]))
        if faults:
            continue
        checked.heads += 1
        for found in _of_runs(tenant_id, said, checked):
            if found.run not in named:
                named.add(found.run)
                yield found


def _read(line: str) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
        leaves_of(said)
        bytes.fromhex(said["digest"] + said["signature"] + said["previous"])
        is_head = type(said["number"]) is int and isinstance(said["key"], str)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return said if is_head else None


def _of_head(
    tenant_id: int, said: dict[str, Any], keys: PublicKeys, before: tuple[int, bytes] | None
) -> Iterator[Found]:
    number, digest = said["number"], digest_of(said)
    if said["key"] not in keys:
        yield Found(number, "", HeadFault.UNKNOWN_KEY, f"The key {said['key']} that signed it is not known.")
    elif digest.hex() != said["digest"] or not is_signed(digest, bytes.fromhex(said["signature"]), keys[said["key"]]):
        yield Found(number, "", HeadFault.WRONG_SIGNATURE, "The file was changed: the signature is of something else.")
    elif said["tenant"] != _own_name(tenant_id):
        yield Found(number, "", HeadFault.OTHER_TENANT, "It is a head of another tenant.")
    elif before is not None and (number, said["previous"]) != (before[0] + 1, before[1].hex()):
        yield Found(number, "", HeadFault.BROKEN_CHAIN, "It does not continue the head before it in the file.")
    elif (stored := _stored_digest(tenant_id, number)) is None:
        yield Found(number, "", HeadFault.HEAD_MISSING, "The database has no head of this number any more.")
    elif stored != digest:
        yield Found(number, "", HeadFault.HEAD_CHANGED, "The database has another head of this number.")


def _own_name(tenant_id: int) -> str:
    with tenant_scope(tenant_id):
        return str(tenant_name(tenant_id))


def _stored_digest(tenant_id: int, number: int) -> bytes | None:
    with tenant_scope(tenant_id):
        heads = TraceHead.objects.filter(tenant_id=tenant_id, number=number)
        stored = heads.values_list("digest", flat=True).first()
    return None if stored is None else bytes(stored)


def _of_runs(tenant_id: int, said: dict[str, Any], checked: Checked) -> Iterator[Found]:
    leaves = leaves_of(said)
    for start in range(0, len(leaves), BATCH):
        part = leaves[start : start + BATCH]
        with tenant_scope(tenant_id):
            asked = arrays([(leaf.run, leaf.seq) for leaf in part], _TOLD)
            rows = fetch(_STANDS, [*asked, tenant_id, tenant_id, tenant_id])
        checked.leaves += len(part)
        for leaf, (length, found, ends) in zip(part, rows, strict=True):
            fault = _fault(leaf, length, found and bytes(found), ends)
            if fault is not None:
                at = f"Head {said['number']} of {said['signed_at']} has line {leaf.seq}"
                yield Found(said["number"], str(leaf.run), fault[0], f"{at}; {fault[1]}")


def _fault(leaf: Leaf, length: int | None, found: bytes | None, ends: list[list[Any]]) -> tuple[HeadFault, str] | None:
    """What is wrong with the trace of a run that a head told of, if anything is."""
    if found == leaf.hash or [leaf.seq, leaf.hash.hex()] in ends:
        return None
    if not leaf.is_pruned and any(seq > leaf.seq for seq, _ in ends) and length is None:
        return None  # it grew, and was pruned; a later head has its tombstone
    if found is not None:
        return HeadFault.TRACE_REWRITTEN, "the line is another one now."
    if length is not None:
        return HeadFault.TRACE_CUT, "the line is not there any more."
    if ends:
        return HeadFault.TOMBSTONE_CHANGED, "its tombstone tells another end."
    return HeadFault.RUN_GONE, "neither the run nor a tombstone of it is there."
