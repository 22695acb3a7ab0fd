"""manage.py keys show|rewrap|rotate|reseal"""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.audit.commands import add_by, recorded
from tenants.management.commands.tenant import existing_tenant
from tenants.models import TenantKey
from tenants.scope import tenant_scope
from tenants.second_factor.factors import rewrap_factors
from tenants.vault import rotation
from tenants.vault.columns import Part, SealedBytes
from tenants.vault.master import first_master, known_masters


class Command(BaseCommand):
    help = "Rotate the keys that payloads and secrets are sealed under. Every verb may be stopped and run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("show", help="Print the names of the master keys, and how many tenants still need another.")
        verbs.add_parser("rewrap", help="Wrap the keys of tenants and second factors by the first of PAYLOAD_KEYS.")
        for name, text in (
            ("rotate", "Give tenants a new data key. It seals from now on."),
            ("reseal", "Seal what older data keys sealed under the newest, then forget keys that nothing is under."),
        ):
            verb = verbs.add_parser(name, help=text)
            whom = verb.add_mutually_exclusive_group(required=True)
            whom.add_argument("--tenant", metavar="SLUG")
            whom.add_argument("--all", action="store_true", help="Every tenant.")
        for name in ("rewrap", "rotate", "reseal"):
            add_by(verbs.choices[name])
        verbs.choices["reseal"].add_argument("--batch", type=int, default=500, metavar="ROWS", help="Per transaction.")

    def handle(self, *, verb: str, **options: Any) -> None:
        try:
            {"show": self._show, "rewrap": self._rewrap, "rotate": self._rotate, "reseal": self._reseal}[verb](options)
        except ChimewayError as error:
            raise CommandError(error.message) from error

    def _show(self, options: dict[str, Any]) -> None:
        waiting = sum(1 for _ in _each(rotation.tenants_to_rewrap))
        said = {"first": first_master(), "known": known_masters(), "tenants_to_rewrap": waiting}
        self.stdout.write(json.dumps(said))

    def _rewrap(self, options: dict[str, Any]) -> None:
        tenants = keys = 0
        for tenant_id in _each(rotation.tenants_to_rewrap):
            with recorded(tenant_id, "keys rewrap", options, ref=first_master()):
                keys += rotation.rewrap_keys(tenant_id=tenant_id)
            tenants += 1
            if tenants % 100 == 0:
                self.stderr.write(f"{tenants} tenants, {keys} keys so far")
        factors = rewrap_factors()
        if factors:
            self.stdout.write(f"{factors} second factors of operators are wrapped anew.")
        self.stdout.write(f"{keys} keys of {tenants} tenants are wrapped by {first_master()} now.")

    def _rotate(self, options: dict[str, Any]) -> None:
        for tenant_id in _asked(options):
            with recorded(tenant_id, "keys rotate", options, lambda one=tenant_id: _keys_of(one)):  # type: ignore[misc]
                number = rotation.rotate_data_key(tenant_id=tenant_id)
            self.stdout.write(f"tenant {tenant_id}: data key {number} seals now")

    def _reseal(self, options: dict[str, Any]) -> None:
        for tenant_id in _asked(options):
            if not _has_old_keys(tenant_id):
                continue
            with recorded(tenant_id, "keys reseal", options, lambda one=tenant_id: _keys_of(one)):  # type: ignore[misc]
                done = rotation.reseal_values(tenant_id=tenant_id, most=options["batch"], told=self._tell)
            kept = "" if done.keys_retired else ", for the newest key is less than an hour old"
            self.stdout.write(
                f"tenant {tenant_id}: {done.values} values resealed, {done.keys_retired} keys retired{kept}"
            )

    def _tell(self, column: SealedBytes, part: Part) -> None:
        if part.last is not None:
            self.stderr.write(f"{column.place}: up to row {part.last}")


def _asked(options: dict[str, Any]) -> Iterator[int]:
    if options["all"]:
        return _each(rotation.all_tenants)
    return iter([existing_tenant(options["tenant"]).pk])


def _each(part: Callable[..., list[int]]) -> Iterator[int]:
    """Every id of a list that is asked for in parts."""
    after = 0
    while found := part(after=after):
        yield from found
        after = found[-1]


def _keys_of(tenant_id: int) -> list[TenantKey]:
    return list(TenantKey.objects.filter(tenant_id=tenant_id))


def _has_old_keys(tenant_id: int) -> bool:
    with tenant_scope(tenant_id):
        return TenantKey.objects.filter(tenant_id=tenant_id, purpose="data").count() > 1
