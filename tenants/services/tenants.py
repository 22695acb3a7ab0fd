"""Create tenants, find them by name, and say who may look at them."""

import re
import zoneinfo

from django.db import IntegrityError, connection

from chimeway_py.errors import Conflict, Invalid, fault
from tenants.models import Membership, Tenant
from tenants.scope import tenant_scope
from tenants.vault.rows import make_keys

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class TenantExists(Conflict):
    """A tenant with this slug exists."""

    code = "tenant_exists"


def create_tenant(*, slug: str, name: str = "", time_zone: str = "UTC") -> Tenant:
    """A new tenant, with keys of its own.

    `slug` is lower-case letters, digits and single hyphens, at most 63; `time_zone` an IANA name.
    Raises `Invalid` naming what is wrong, and `TenantExists`.
    """
    _check(slug, name, time_zone)
    tenant_id = _next_id()  # row-level security asks for the id before the row exists
    try:
        with tenant_scope(tenant_id):
            tenant = Tenant.objects.create(id=tenant_id, slug=slug, name=name or slug, time_zone=time_zone)
            make_keys(tenant_id)
            return tenant
    except IntegrityError as error:
        raise TenantExists(f"A tenant {slug} exists.", {"slug": slug}) from error


def find_tenant(slug: str) -> Tenant | None:
    """The tenant with this slug, or None."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_by_slug(%s)", [slug])
        (tenant_id,) = cursor.fetchone()
    if tenant_id is None:
        return None
    with tenant_scope(tenant_id):
        return Tenant.objects.get(id=tenant_id)


def tenant_exists(tenant_id: int) -> bool:
    """Whether there is a tenant of this id: for links that name one and prove nothing yet."""
    if not 0 < tenant_id < 2**63:
        return False
    with tenant_scope(tenant_id):
        return Tenant.objects.filter(id=tenant_id).exists()


def tenant_list() -> list[tuple[int, str]]:
    """(id, slug) of every tenant, by slug: for commands that go through all of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, slug FROM tenant_list()")
        return [(tenant_id, slug) for tenant_id, slug in cursor.fetchall()]


def add_membership(*, tenant_id: int, user_id: int) -> Membership:
    """Let an operator account see this tenant. Adding it again changes nothing."""
    with tenant_scope(tenant_id):
        return Membership.objects.get_or_create(tenant_id=tenant_id, user_id=user_id)[0]


def remove_membership(*, tenant_id: int, user_id: int) -> bool:
    """Take the tenant out of an operator's sight. True if it was in sight."""
    with tenant_scope(tenant_id):
        return bool(Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).delete()[0])


def tenants_of_user(user_id: int) -> list[int]:
    """Ids of the tenants that an operator account is a member of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_of_user(%s)", [user_id])
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def _next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('tenants_tenant', 'id'))")
        return int(cursor.fetchone()[0])


def _check(slug: str, name: str, time_zone: str) -> None:
    faults = []
    if len(slug) > 63 or not _SLUG.fullmatch(slug):
        faults.append(fault("/slug", "bad_slug", "Lower-case letters, digits and single hyphens, at most 63."))
    if len(name) > 200 or "\0" in name:
        faults.append(fault("/name", "bad_name", "At most 200 characters."))
    if time_zone not in zoneinfo.available_timezones():
        faults.append(fault("/time_zone", "unknown_time_zone", "An IANA name, such as Europe/Paris."))
    if faults:
        raise Invalid("The tenant is not valid.", faults)
