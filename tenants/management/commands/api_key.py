"""manage.py api_key create|list|rotate|revoke"""

import json
import uuid
from argparse import SUPPRESS, ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.audit.commands import add_by, recorded
from tenants.management.commands.tenant import existing_tenant
from tenants.models import ApiKey
from tenants.models.api_key import Scope
from tenants.scope import database_now, tenant_scope
from tenants.services import IssuedKey, create_api_key, revoke_api_key, rotate_api_key


class Command(BaseCommand):
    help = "Issue, list, rotate and revoke the API keys of a tenant. A key is printed once, when it is issued."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Issue a key and print it, as JSON.")
        _add_tenant(create)
        create.add_argument("name", help="What the key is for.")
        create.add_argument("--scopes", nargs="+", required=True, help=f"all, or some of: {', '.join(Scope.values)}.")
        create.add_argument("--days", type=float, help="Expire after so many days (default: never).")
        listing = verbs.add_parser("list", help="Print the tenant's keys, without secrets, one JSON object a line.")
        _add_tenant(listing)
        rotate = verbs.add_parser("rotate", help="Issue a successor; both keys live for the overlap.")
        _add_tenant(rotate)
        rotate.add_argument("id", type=uuid.UUID, help="The key's id, from list.")
        rotate.add_argument("--overlap-hours", type=float, default=24.0, help="0 to 2160 (default: 24).")
        revoke = verbs.add_parser("revoke", help="End a key now, for ever.")
        _add_tenant(revoke)
        revoke.add_argument("id", type=uuid.UUID, help="The key's id, from list.")
        for verb in (create, rotate, revoke):
            add_by(verb)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant_id = existing_tenant(_tenant(options)).id
        try:
            for line in self._lines(tenant_id, options):
                self.stdout.write(json.dumps(line))
        except ChimewayError as error:
            raise CommandError(error.line) from error

    def _lines(self, tenant_id: int, options: dict[str, Any]) -> list[dict[str, Any]]:
        does = getattr(self, "_" + options["verb"])
        if "by" not in options:
            return does(tenant_id, options)  # type: ignore[no-any-return]
        with recorded(tenant_id, f"api_key {options['verb']}", options, lambda: _keys(tenant_id)):
            return does(tenant_id, options)  # type: ignore[no-any-return]

    def _create(self, tenant_id: int, options: dict[str, Any]) -> list[dict[str, Any]]:
        scopes = Scope.values if options["scopes"] == ["all"] else options["scopes"]
        expires_at = database_now() + timedelta(days=options["days"]) if options["days"] is not None else None
        issued = create_api_key(tenant_id=tenant_id, name=options["name"], scopes=scopes, expires_at=expires_at)
        return [_with_token(issued)]

    def _list(self, tenant_id: int, options: dict[str, Any]) -> list[dict[str, Any]]:
        with tenant_scope(tenant_id):
            return [_shown(key) for key in _keys(tenant_id)]

    def _rotate(self, tenant_id: int, options: dict[str, Any]) -> list[dict[str, Any]]:
        overlap = timedelta(hours=options["overlap_hours"])
        return [_with_token(rotate_api_key(tenant_id=tenant_id, public_id=options["id"], overlap=overlap))]

    def _revoke(self, tenant_id: int, options: dict[str, Any]) -> list[dict[str, Any]]:
        return [_shown(revoke_api_key(tenant_id=tenant_id, public_id=options["id"]))]


def _keys(tenant_id: int) -> list[ApiKey]:
    return list(ApiKey.objects.filter(tenant_id=tenant_id).order_by("id"))


def _add_tenant(parser: ArgumentParser) -> None:
    """`--tenant SLUG` as every command has it; the slug alone in front, too, as this one always took it."""
    parser.add_argument("slug", nargs="?", help=SUPPRESS)
    parser.add_argument("--tenant", metavar="SLUG", help="Whose keys these are.")


def _tenant(options: dict[str, Any]) -> str:
    given = [slug for slug in (options["tenant"], options["slug"]) if slug]
    if len(given) != 1:
        raise CommandError("Say once whose keys these are: --tenant SLUG.")
    return str(given[0])


def _with_token(issued: IssuedKey) -> dict[str, Any]:
    return {**_shown(issued.row), "key": issued.token}


def _shown(key: ApiKey) -> dict[str, Any]:
    times = {"expires_at": key.expires_at, "revoked_at": key.revoked_at}
    ends = {name: time.isoformat() if time else None for name, time in times.items()}
    return {"id": str(key.public_id), "name": key.name, "prefix": key.prefix, "scopes": key.scopes, **ends}
