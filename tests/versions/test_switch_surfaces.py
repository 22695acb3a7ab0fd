"""The switch in REST, on the command line and at the admin."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from chimeway_py.metrics import _numbers
from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished, mine, operator
from tests.admin.test_actions import acts, ask, said
from tests.control.runs import CALL_THEN_WAIT
from tests.journeys import publish, rows_of
from tests.workflows.probe import Probe
from workflows.definitions.errors import DefinitionNotFound
from workflows.models import DefinitionSwitch, SwitchChange
from workflows.services.definitions import fetch_definition
from workflows.services.switches import switch_of

__all__ = ["mine", "operator"]
DEFINITIONS = reverse("admin:workflows_definition_changelist")
OFF = {"level": "all_off", "reason": "bad copy"}


def test_put_and_get(rest: APIClient, tenant: Tenant, probe: Probe) -> None:
    publish(tenant, CALL_THEN_WAIT)

    before = rest.get("/v1/definitions/ring/switch").json()
    answer = rest.put("/v1/definitions/ring/switch", OFF)
    refused = rest.post("/v1/runs", {"workflow": "ring", "subject": "ada"})

    assert before == {"key": "ring", "level": "on", "changes": []}
    assert (answer.status_code, answer.json()["level"]) == (200, "all_off")
    [change] = rest.get("/v1/definitions/ring/switch").json()["changes"]
    assert {"level": "all_off", "reason": "bad copy", "cause": "api"}.items() <= change.items()
    assert (refused.status_code, refused.json()["code"]) == (409, "definition_off")


@pytest.mark.parametrize(
    ("body", "path"),
    [({"level": "half", "reason": "x"}, "/level"), ({"level": "on"}, "/reason"), (OFF | {"more": 1}, "/more")],
)
def test_a_bad_body_writes_nothing(
    rest: APIClient, tenant: Tenant, probe: Probe, body: dict[str, Any], path: str
) -> None:
    publish(tenant, CALL_THEN_WAIT)

    answer = rest.put("/v1/definitions/ring/switch", body)

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, path)
    assert rows_of(tenant, [DefinitionSwitch, SwitchChange]) == [0, 0]


def test_no_such_definition(rest: APIClient) -> None:
    for answer in (rest.get("/v1/definitions/nobody/switch"), rest.put("/v1/definitions/nobody/switch", OFF)):
        assert (answer.status_code, answer.json()["code"]) == (404, "definition_not_found")


def test_the_command(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, CALL_THEN_WAIT)
    out = StringIO()

    words = ["switch", "ring", "starts_off", "--reason", "bad copy", "--by", "grace", "--tenant", tenant.slug]
    call_command("definitions", *words, stdout=out)

    assert "starts_off  operator grace: bad copy" in out.getvalue()
    assert switch_of(tenant_id=tenant.pk, key="ring").level == "starts_off"
    with pytest.raises(CommandError, match="No definition"):
        call_command("definitions", "switch", "nobody", *words[2:])


def test_the_command_retires_a_version(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    publish(tenant, CALL_THEN_WAIT)
    out = StringIO()

    with pytest.raises(CommandError, match="There is no such definition"):
        call_command("definitions", "retire", "ring", "1", "--tenant", other_tenant.slug)
    assert fetch_definition(tenant_id=tenant.pk, key="ring").version == 1
    call_command("definitions", "retire", "ring", "1", "--by", "grace", "--tenant", tenant.slug, stdout=out)

    assert out.getvalue() == "ring v1 is retired\n"
    with tenant_scope(tenant.pk):
        act = OperatorAction.objects.get(action="definitions retire")
    assert (act.username, act.changes["status"]) == ("grace", ["published", "retired"])
    with pytest.raises(DefinitionNotFound):
        fetch_definition(tenant_id=tenant.pk, key="ring")


def test_the_admin(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant)

    asked = ask(client, DEFINITIONS, "switch_off", mine.definition).content.decode()
    done = ask(client, DEFINITIONS, "switch_off", mine.definition, reason="bad copy")

    assert "its runs are held: nothing new is sent" in asked
    assert "1 moved, 0 refused" in said(done)
    switch = switch_of(tenant_id=mine.tenant.pk, key=mine.definition.key)
    assert (switch.level, switch.why, switch.cause) == ("all_off", "bad copy", "operator")
    assert acts(mine)[-1][0] == "switch_off"
    page = client.get(page_of(mine.definition)).content.decode()
    assert "bad copy" in page
    assert "Switch on" in page


def test_an_operator_who_is_no_admin_may_not(operator: Callable[..., Client], mine: Furnished) -> None:
    done = ask(operator(mine.tenant, role=Role.OPERATOR), DEFINITIONS, "switch_off", mine.definition, reason="bad copy")

    assert "0 moved, 1 refused" in said(done)
    assert switch_of(tenant_id=mine.tenant.pk, key=mine.definition.key).level == "on"


def test_the_gauge_counts_what_is_off(rest: APIClient, tenant: Tenant, probe: Probe) -> None:
    publish(tenant, CALL_THEN_WAIT)
    before = _numbers().get("definitions_off", {}).get("starts_off", 0)

    rest.put("/v1/definitions/ring/switch", OFF | {"level": "starts_off"})

    assert _numbers()["definitions_off"]["starts_off"] == before + 1
