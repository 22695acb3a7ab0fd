"""Who may look and act, and the record of what they did."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import LONGEST_REASON, is_storable
from tenants.models import Membership, OperatorAction, Role
from tenants.scope import tenant_scope


@dataclass(frozen=True, slots=True)
class Operator:
    """A person at the admin: the account, what it may do in which tenant, and where it asks from.

    `via` is `command` for somebody at the command line, whose account nobody knows.
    """

    user_id: int
    username: str
    roles: dict[int, Role]
    address: str = ""
    via: str = "admin"

    def may(self, role: Role, tenant_id: int | None = None) -> bool:
        """Whether the operator has the role in this tenant; without one, in any."""
        held = self.roles.values() if tenant_id is None else [self.roles[tenant_id]] if tenant_id in self.roles else []
        return any(one.includes(role) for one in held)


@dataclass(frozen=True, slots=True)
class Act:
    """What came of one wish for one object. An empty `refusal` means that it moved.

    `changes` is [before, after] of each field that differs.
    """

    object_kind: str
    object_ref: str
    refusal: str = ""
    changes: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def memberships_of_user(user_id: int) -> dict[int, Role]:
    """The role that an operator account has in each tenant it is a member of, by tenant id."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, role FROM memberships_of_user(%s)", [user_id])
        return {tenant_id: Role(role) for tenant_id, role in cursor.fetchall()}


def set_role(*, tenant_id: int, user_id: int, role: Role) -> Membership:
    """The membership of an account, with this role from now on."""
    with tenant_scope(tenant_id):
        found, _ = Membership.objects.update_or_create(tenant_id=tenant_id, user_id=user_id, defaults={"role": role})
        return found


def check_reason(reason: str, longest: int = LONGEST_REASON) -> str:
    """The reason without surrounding blanks. Raises `Invalid` unless it is 1 to so many characters, 64 if not said."""
    said = reason.strip()
    if not said or not is_storable(said, longest):
        told = f"Say why, in 1 to {longest} characters."
        raise Invalid(told, [fault("/reason", "bad_reason", told)])
    return said


def record_acts(*, tenant_id: int, operator: Operator, action: str, reason: str, acts: Iterable[Act]) -> None:
    """Write down what an operator asked for and what came of it, one row per object, in the caller's transaction."""
    with tenant_scope(tenant_id) as scope:
        OperatorAction.objects.bulk_create(
            OperatorAction(
                tenant_id=tenant_id,
                user_id=operator.user_id,
                username=operator.username,
                address=operator.address,
                via=operator.via,
                action=action,
                object_kind=act.object_kind,
                object_ref=act.object_ref,
                reason=reason,
                moved=not act.refusal,
                refusal=act.refusal[:200],
                changes=dict(act.changes),
                acted_at=scope.now,
            )
            for act in acts
        )
