"""The kill switch of a definition: independent of its versions, and of publishing and retiring them."""

from collections.abc import Iterator

from chimeway_py.errors import Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from chimeway_py.text import LONGEST_REASON, is_storable
from tenants.scope import tenant_scope
from workflows.models import DefinitionSwitch, SwitchChange, SwitchLevel
from workflows.services.definitions import require_definition
from workflows.states import Cause
from workflows.store.switches import lock_switches


def switch_definition(
    *, tenant_id: int, key: str, level: str, cause: Cause, cause_ref: str, why: str
) -> DefinitionSwitch:
    """How the key is switched from now on. Switching it to what it is already writes nothing.

    When this has returned and its transaction is committed, a key that is off starts nothing; with `all_off` its runs
    do not go on and none of their work is claimed, while what a worker had claimed before is finished. Raises
    `DefinitionNotFound` and `Invalid`.
    """
    faults = [*_faults(level, why)]
    if faults:
        raise Invalid("The switch is not valid.", faults)
    with tenant_scope(tenant_id):
        require_definition(tenant_id=tenant_id, key=key)
        lock_switches(tenant_id)
        switch = switch_of(tenant_id=tenant_id, key=key)
        if switch.level == level:
            return switch
        _write(switch, SwitchLevel(level), (cause, cause_ref, why))
        return switch


def switch_of(*, tenant_id: int, key: str) -> DefinitionSwitch:
    """How the key is switched; one that was never switched is on, and has no row yet."""
    with tenant_scope(tenant_id) as scope:
        found = DefinitionSwitch.objects.filter(tenant_id=tenant_id, key=key).first()
        return found or DefinitionSwitch(
            tenant_id=tenant_id, key=key, level=SwitchLevel.ON, why="", cause="", changed_at=scope.now
        )


def switch_changes(*, tenant_id: int, key: str, limit: int = 50) -> list[SwitchChange]:
    """Who switched the key to what, when and why, newest first."""
    with tenant_scope(tenant_id):
        return list(SwitchChange.objects.filter(tenant_id=tenant_id, key=key).order_by("-id")[:limit])


def _write(switch: DefinitionSwitch, level: SwitchLevel, who: tuple[Cause, str, str]) -> None:
    with tenant_scope(switch.tenant_id) as scope:
        switch.releasing = level != SwitchLevel.ALL_OFF and (switch.level == SwitchLevel.ALL_OFF or switch.releasing)
        switch.level, switch.changed_at = level, scope.now
        switch.cause, switch.cause_ref, switch.why = who
        switch.save()
        said = {name: getattr(switch, name) for name in ("level", "why", "cause", "cause_ref", "changed_at")}
        SwitchChange.objects.create(tenant_id=switch.tenant_id, key=switch.key, **said)
        if switch.releasing:
            nudge_after_commit("engine", switch.tenant_id)


def _faults(level: str, why: str) -> Iterator[dict[str, str]]:
    if level not in SwitchLevel.values:
        yield fault("/level", "unknown_level", f"One of {', '.join(SwitchLevel.values)}.")
    if not why.strip() or not is_storable(why, LONGEST_REASON):
        yield fault("/reason", "bad_reason", f"Say why, in 1 to {LONGEST_REASON} characters.")
