"""manage.py tenant create|show|member"""

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.audit.commands import add_by, record, recorded
from tenants.audit.facts import compared, facts_of
from tenants.models import Membership, Role, Tenant
from tenants.services import add_membership, create_tenant, find_tenant, remove_membership, set_role
from tenants.services.operators import Act


class Command(BaseCommand):
    help = "Create a tenant, show one, or say which operators see it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Create a tenant and print it as JSON.")
        create.add_argument("slug", help="Lower-case letters, digits and single hyphens, at most 63.")
        create.add_argument("--name", default="", help="For people; the slug when left out.")
        create.add_argument("--time-zone", default="UTC", help="An IANA name, e.g. Europe/Paris (default: UTC).")
        show = verbs.add_parser("show", help="Print a tenant as JSON.")
        show.add_argument("slug")
        member = verbs.add_parser("member", help="Let an operator account see the tenant in the admin.")
        member.add_argument("slug")
        member.add_argument("username")
        member.add_argument("--role", choices=Role.values, help="viewer, operator (for a new member) or admin.")
        member.add_argument("--remove", action="store_true", help="Take the tenant out of the operator's sight.")
        for verb in (create, member):
            add_by(verb)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(json.dumps(self._answer(options)))
        except ChimewayError as error:
            raise CommandError(error.line) from error

    def _answer(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["verb"] == "create":
            return _shown(_created(options))
        tenant = existing_tenant(options["slug"])
        if options["verb"] == "show":
            return _shown(tenant)
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"No account {options['username']}: see manage.py createsuperuser.")
        mine = Membership.objects.filter(tenant_id=tenant.id, user_id=user.pk)
        with recorded(tenant.id, "tenant member", options, lambda: list(mine.all()), ref=options["username"]):
            _seen_by(tenant, user.pk, options)
        return {"tenant": tenant.slug, "username": options["username"], "member": not options["remove"]}


def _created(options: dict[str, Any]) -> Tenant:
    tenant = create_tenant(slug=options["slug"], name=options["name"], time_zone=options["time_zone"])
    made = Act("tenant", str(tenant.public_id), changes=compared({}, facts_of(tenant)))
    record(tenant.pk, "tenant create", options, [made])
    return tenant


def _seen_by(tenant: Tenant, user_id: int, options: dict[str, Any]) -> None:
    if options["remove"]:
        remove_membership(tenant_id=tenant.id, user_id=user_id)
    elif options["role"]:
        set_role(tenant_id=tenant.id, user_id=user_id, role=Role(options["role"]))
    else:
        add_membership(tenant_id=tenant.id, user_id=user_id)


def existing_tenant(slug: str) -> Tenant:
    """The tenant with this slug. Raises `CommandError`."""
    tenant = find_tenant(slug)
    if tenant is None:
        raise CommandError(f"No tenant {slug}.")
    return tenant


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {"id": str(tenant.public_id), "slug": tenant.slug, "name": tenant.name, "time_zone": tenant.time_zone}
