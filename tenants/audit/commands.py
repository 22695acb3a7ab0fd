"""What is done on the command line stands in the same record as what is done at the admin.

Every verb that writes takes `--by`. Where nobody says who asks, it is the account of the operating system.
"""

import getpass
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Model

from tenants.admin.paging import ref_of
from tenants.audit.facts import Facts, facts_of, with_changes
from tenants.scope import tenant_scope
from tenants.services.operators import Act, Operator, record_acts

Rows = Sequence[Model]
_NOBODY = frozenset({"", "command", "command line"})  # what verbs put where nobody said who asks


def add_by(parser: ArgumentParser) -> None:
    """The option that says who asks."""
    parser.add_argument("--by", default="", metavar="NAME", help="Who asks for it (default: your account here).")


def who(options: Mapping[str, Any]) -> str:
    """Who asks, as the record tells it."""
    said = str(options.get("by") or "")
    return (said if said not in _NOBODY else _account())[:150]


@contextmanager
def recorded(
    tenant_id: int, command: str, options: Mapping[str, Any], rows: Rows | Callable[[], Rows] = (), ref: str = ""
) -> Iterator[None]:
    """Record what is done inside, with what became different of `rows`. A refusal is not recorded.

    `rows` may be a question, asked before and after: then rows that come and go are told of, and those that stay as
    they were are not. Without any, `ref` names what it was about.
    """
    with tenant_scope(tenant_id):
        met = list(rows() if callable(rows) else rows)
        before = {row.pk: facts_of(row) for row in met}
    yield
    with tenant_scope(tenant_id):
        if callable(rows):
            met += [row for row in rows() if row.pk not in before]
        acts = _acts(met, before, ref)
        if callable(rows):
            acts = [act for act in acts if act.changes]
        record(tenant_id, command, options, acts or [Act(command.split(maxsplit=1)[0], ref[:200])])


def record(tenant_id: int, command: str, options: Mapping[str, Any], acts: Sequence[Act]) -> None:
    """Write down what a command did. Needs no scope."""
    by = Operator(0, who(options), {}, via="command")
    reason = str(options.get("reason") or "")[:200]
    record_acts(tenant_id=tenant_id, operator=by, action=command[:32], reason=reason, acts=acts)


def _acts(rows: Rows, before: Mapping[Any, Facts], ref: str) -> list[Act]:
    """A row that has no public id is told of by what the command calls it."""
    called = [ref_of(row) if hasattr(row, "public_id") else (ref or ref_of(row))[:200] for row in rows]
    return with_changes(
        [Act(str(row._meta.model_name), name) for row, name in zip(rows, called, strict=True)], rows, before
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name, as containers have them
        return "command line"
