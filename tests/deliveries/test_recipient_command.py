"""manage.py recipients: from a file, shown, and what they want."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rest_framework.test import APIClient

from deliveries.models import Recipient
from tenants.models import Tenant
from tests.journeys import rows_of


def told(*words: str, tenant: Tenant) -> str:
    out = StringIO()
    call_command("recipients", *words, "--tenant", tenant.slug, stdout=out)
    return out.getvalue()


def test_a_file_of_lines_is_stored_in_groups(tenant: Tenant, tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"r{number}", "zone": "UTC"}) for number in range(1203)]
    (tmp_path / "people.jsonl").write_text("\n".join(lines))

    first = told("put", str(tmp_path / "people.jsonl"), tenant=tenant)
    again = told("put", str(tmp_path / "people.jsonl"), tenant=tenant)

    assert json.loads(first) == {"created": 1203, "met": 0}
    assert json.loads(again) == {"created": 0, "met": 1203}
    assert json.loads(told("show", "r7", tenant=tenant))["zone"] == "UTC"


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "ada", "zone": "Mars"}', '{"zone": "UTC"}'])
def test_a_file_with_a_fault_is_refused(line: str, tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "people.jsonl").write_text(f'{{"id": "grace"}}\n{line}\n')

    with pytest.raises(CommandError):
        told("put", str(tmp_path / "people.jsonl"), tenant=tenant)

    assert rows_of(tenant, (Recipient,)) == [0]


def test_rules_are_said_and_forgotten(tenant: Tenant, rest: APIClient) -> None:
    rest.put("/v1/categories/news", {})

    said = told("prefer", "no", "ada", "--category", "news", "--channel", "email", tenant=tenant)
    shown = json.loads(told("show", "ada", tenant=tenant))
    default = told("prefer", "no", "--category", "news", tenant=tenant)
    forgotten = told("prefer", "forget", "ada", "--category", "news", "--channel", "email", tenant=tenant)

    assert (said, forgotten) == ("no to category news, channel email\n", "")
    assert shown == {"id": "ada", "preferences": ["no to category news, channel email"]}
    assert default == "no to category news\n"
    with pytest.raises(CommandError):
        told("show", "ada", tenant=tenant)
