"""Migrate, and make tenants with a key each: `python -m tests.faults.prepare FILE SLUG…`, as a program of its own."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import django
from django.core.management import call_command

from tests.faults.crowds import LIMIT, SLUG


def prepare(slugs: Sequence[str]) -> dict[str, str]:
    """A key of each new tenant, by slug."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
    django.setup()
    call_command("migrate", database="owner", interactive=False, verbosity=0)
    from tenants.limits.kinds import LimitKind
    from tenants.models.api_key import Scope
    from tenants.services import create_api_key, create_tenant, set_limit

    tenants = {slug: create_tenant(slug=slug) for slug in slugs}
    if limited := tenants.get(SLUG):
        set_limit(tenant_id=limited.pk, kind=LimitKind.STARTS_PER_MINUTE, amount=LIMIT, changed_by="prove")
    return {
        slug: create_api_key(tenant_id=tenant.pk, name="prove", scopes=Scope.values).token
        for slug, tenant in tenants.items()
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(prepare(sys.argv[2:])))
