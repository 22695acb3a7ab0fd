"""The record of operators: who, from where, what, and what it was before and after; nobody changes it."""

import csv
import io
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import Error, connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from chimeway_py.csvtext import csv_lines
from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.models.api_key import Scope
from tenants.scope import database_now, tenant_scope
from tenants.services.operators import Act, Operator, record_acts
from tests.admin.conftest import Furnished
from tests.plugin import Servers


def acts(tenant: Tenant) -> list[OperatorAction]:
    with tenant_scope(tenant.pk):
        return list(OperatorAction.objects.filter(tenant_id=tenant.pk).order_by("id"))


def ask(client: Client, row: Any, action: str, **more: Any) -> Any:
    posted = {"action": action, "_selected_action": row.pk, "confirmed": "1", "reason": "agreed", **more}
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
    return client.post(url, posted, REMOTE_ADDR="192.0.2.7")


def test_an_action_says_what_was_before_and_after(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant)

    ask(client, mine.run, "cancel")

    (act,) = acts(mine.tenant)
    assert (act.username, act.address, act.via) == (client.username, "192.0.2.7", "admin")  # type: ignore[attr-defined]
    assert (act.action, act.object_kind, act.object_ref) == ("cancel", "run", str(mine.run.public_id))
    assert act.changes["state"] == ["waiting", "cancelled"]
    assert act.changes["finished_at"][0] is None
    assert "subject" not in act.changes
    history = client.get(page_of(mine.run).replace("change/", "history/")).content.decode()
    assert "state: waiting → cancelled" in history


def test_forms_say_it_too_and_never_a_secret(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant)
    edit = page_of(mine.endpoint).replace("change/", "edit/")

    client.post(edit, {"url": "https://new.example.com/", "enabled": "on"})
    client.post(
        reverse("admin:tenants_secret_add"),
        {"tenant": mine.tenant.pk, "key": "k", "value": "hush-hush", "overlap_hours": 0},
    )
    client.post(page_of(mine.key).replace("change/", "rotate/"), {"overlap_hours": 1, "reason": "leaked"})

    changed, stored, rotated = acts(mine.tenant)
    assert changed.changes["url"] == ["https://mine.example.com/", "https://new.example.com/"]
    assert stored.changes["key"] == [None, "k"]
    assert stored.changes["entries"] == [None, "(hidden)"]
    assert rotated.changes["expires_at"][0] is None
    assert "hush-hush" not in str([one.changes for one in acts(mine.tenant)])
    assert "theirs" not in str(changed.changes)


def test_a_refusal_changes_nothing_and_says_so(operator: Callable[..., Client], mine: Furnished) -> None:
    ask(operator(mine.tenant, role=Role.OPERATOR), mine.key, "revoke")

    (act,) = acts(mine.tenant)
    assert (act.moved, act.changes) == (False, {})


def test_people_are_not_named(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant)
    recipient = next(one for one in mine.people if one._meta.model_name == "recipient")

    said = {"addresses": "email: new@example.com", "attributes": "", "time_zone": "Europe/Paris", "locale": "fr"}
    client.post(page_of(recipient).replace("change/", "edit/"), said)

    told = json.dumps([one.changes for one in acts(mine.tenant)])
    assert "example.com" not in told
    assert "mine_anna" not in told


def test_the_app_role_cannot_change_the_record(tenant: Tenant) -> None:
    record_acts(tenant_id=tenant.pk, operator=Operator(1, "olga", {}), action="x", reason="", acts=[Act("run", "1")])

    for statement in ("UPDATE {} SET id = 1", "DELETE FROM {}", "TRUNCATE {}"):
        for table in ("tenants_operatoraction", "django_admin_log"):
            with pytest.raises(Error, match="permission denied"), tenant_scope(tenant.pk):
                connection.cursor().execute(statement.format(table))
    assert len(acts(tenant)) == 1


def test_a_tenant_reads_its_own_record(
    client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant
) -> None:
    by = Operator(1, "olga", {}, address="192.0.2.7")
    for one, refusal in ((tenant, ""), (tenant, "too late"), (other_tenant, "")):
        record_acts(tenant_id=one.pk, operator=by, action="cancel", reason="asked", acts=[Act("run", "r-1", refusal)])
    rest = client_of(tenant, [Scope.AUDIT_READ])

    items = rest.get("/v1/audit?operator=olga&action=cancel").json()["items"]

    assert [(one["operator"], one["address"], one["moved"], one["refusal"]) for one in items] == [
        ("olga", "192.0.2.7", False, "too late"),
        ("olga", "192.0.2.7", True, ""),
    ]
    assert [one["moved"] for one in rest.get("/v1/audit?moved=true").json()["items"]] == [True]
    assert rest.get("/v1/audit?moved=perhaps").json()["detail"][0]["path"] == "/moved"
    assert client_of(tenant, [Scope.RUNS_READ]).get("/v1/audit").json()["code"] == "missing_scope"


def test_a_command_in_somebodys_name_is_recorded(mine: Furnished) -> None:
    call_command(
        "runs",
        *("cancel", str(mine.run.public_id), "--tenant", mine.tenant.slug, "--reason", "asked", "--by", "olga"),
        stdout=StringIO(),
    )
    call_command("limits", "set", mine.tenant.slug, "live_runs", "7", "--by", "olga", stdout=StringIO())
    call_command(
        "retention",
        *("set", "completed", "30", "--tenant", mine.tenant.slug, "--by", "olga"),
        stdout=StringIO(),
    )

    cancelled, limited, kept = acts(mine.tenant)
    assert {(one.username, one.via) for one in (cancelled, limited, kept)} == {("olga", "command")}
    assert (cancelled.action, cancelled.changes["state"]) == ("runs cancel", ["waiting", "cancelled"])
    assert limited.changes["amount"] == [1000, 7]
    assert (kept.action, kept.changes["what"]) == ("retention set", [None, "completed"])


def test_it_is_exported_for_a_spreadsheet_that_runs_nothing(tenant: Tenant) -> None:
    by = Operator(1, "=cmd|'/c calc'!A1", {}, address="192.0.2.7")
    reasons = ["+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", " =1", 'fine, "really"', "=1+1"]
    for reason in reasons:
        record_acts(tenant_id=tenant.pk, operator=by, action="cancel", reason=reason, acts=[Act("run", "r-1")])

    def exported(*words: str) -> str:
        out = StringIO()
        call_command("audit", "export", tenant.slug, *words, stdout=out)
        return out.getvalue()

    rows = list(csv.DictReader(io.StringIO(exported("--csv"), newline="")))
    assert [row["reason"] for row in rows] == [f"'{one}" if "fine" not in one else one for one in reasons]
    assert {row["username"] for row in rows} == {"'=cmd|'/c calc'!A1"}
    plain = [json.loads(line) for line in exported().splitlines()]
    assert [row["reason"] for row in plain] == reasons
    assert exported("--since", "2126-01-01T00:00:00+00:00") == ""
    assert list(csv_lines([[None, 5, -5, True, "-5"]])) == ['"","5","-5","True","\'-5"\r\n']


def test_only_what_is_old_can_be_forgotten(tenant: Tenant, other_tenant: Tenant, servers: Servers) -> None:
    for one in (tenant, tenant, other_tenant):
        record_acts(tenant_id=one.pk, operator=Operator(1, "olga", {}), action="x", reason="", acts=[Act("run", "1")])
    old = acts(tenant)[0]
    with servers.postgres.connect() as owner:
        owner.execute(
            "UPDATE tenants_operatoraction SET acted_at = %s WHERE id = ANY (%s)",
            [database_now() - timedelta(days=200), [old.pk, acts(other_tenant)[0].pk]],
        )

    with pytest.raises(CommandError, match="90"):
        call_command("audit", "prune", tenant.slug, "--days", "10")
    call_command("audit", "prune", tenant.slug, "--days", "365", stdout=StringIO())
    assert [one.action for one in acts(tenant)] == ["x", "x", "audit prune"]
    out = StringIO()
    call_command("audit", "prune", tenant.slug, "--days", "90", stdout=out)

    assert (out.getvalue(), len(acts(other_tenant))) == ("1 forgotten\n", 1)
    assert [one.action for one in acts(tenant)] == ["x", "audit prune", "audit prune"]
    with tenant_scope(tenant.pk), connection.cursor() as cursor:
        cursor.execute("SELECT forget_operator_actions(%s, now() + interval '1 year')", [tenant.pk])
        assert cursor.fetchone() == (0,), "the database itself keeps the last 90 days"


def test_changes_of_accounts_are_kept_with_before_and_after(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant, superuser=True)
    user = get_user_model().objects.create(username=f"op-{uuid.uuid4().hex[:12]}", is_staff=True, is_active=True)
    url = reverse("admin:auth_user_change", args=[user.pk])

    answer = client.post(
        url, {"username": user.username, "is_staff": "on", "email": "a@example.com"}, REMOTE_ADDR="192.0.2.7"
    )

    assert answer.status_code == 302
    said = LogEntry.objects.filter(object_id=str(user.pk)).latest("id").get_change_message()
    assert "is_active: True → False" in said
    assert "email: None → a@example.com" in said
    assert "from 192.0.2.7" in said
