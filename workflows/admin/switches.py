"""The kill switch of a definition at the admin: three actions, and who used them."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from django.http import HttpRequest

from chimeway_py.errors import ChimewayError
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.pages import Button, Section
from tenants.admin.paging import ref_of
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import Definition, DefinitionSwitch, SwitchLevel
from workflows.services.switches import switch_changes, switch_definition, switch_of
from workflows.states import Cause

_EFFECTS = {
    SwitchLevel.ON: "starts runs again, and those that were held go on",
    SwitchLevel.STARTS_OFF: "starts nothing, whatever the version; its runs go on",
    SwitchLevel.ALL_OFF: "starts nothing, and its runs are held: nothing new is sent",
}


class Switch(ReasonedAction):
    """Switches the keys of the selected versions."""

    role = Role.ADMIN
    level: ClassVar[SwitchLevel]

    def forecast(self, row: Definition) -> str:
        if switch_of(tenant_id=row.tenant_id, key=row.key).level == self.level:
            return "Nothing changes: it is switched so already."
        return f"{row.key} {_EFFECTS[self.level]}."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Definition], reason: str) -> Iterable[Act]:
        for row in rows:
            try:
                switch_definition(
                    tenant_id=tenant_id,
                    key=row.key,
                    level=self.level,
                    cause=Cause.OPERATOR,
                    cause_ref=operator_of(request).username,
                    why=reason,
                )
            except ChimewayError as error:
                yield Act("definition", ref_of(row), error.message)
            else:
                yield Act("definition", ref_of(row))


class SwitchOff(Switch):
    """Holds everything."""

    name, verb, level = "switch_off", "Switch off", SwitchLevel.ALL_OFF


class SwitchStartsOff(Switch):
    """Refuses starts."""

    name, verb, level = "switch_starts_off", "Switch starts off", SwitchLevel.STARTS_OFF


class SwitchOn(Switch):
    """Lets everything go on."""

    name, verb, level = "switch_on", "Switch on", SwitchLevel.ON


SWITCH_ACTIONS: list[Switch] = [SwitchOff(), SwitchStartsOff(), SwitchOn()]


def switch_buttons(switch: DefinitionSwitch) -> list[Button]:
    """The actions that would change something."""
    return [Button(one.verb, action=one.name) for one in SWITCH_ACTIONS if one.level != switch.level]


def switch_section(tenant_id: int, key: str) -> Section:
    """Who switched it to what, when and why."""
    rows = [
        [words.badge(one.level), words.moment(one.changed_at), f"{one.cause} {one.cause_ref}", one.why]
        for one in switch_changes(tenant_id=tenant_id, key=key)
    ]
    return Section("Switch", ["Switched", "When", "By", "Why"], rows, "It was never switched.")
