"""Every verb of every command: what it does stands in the record of operators, and nothing secret in what it says.

A verb that is called by neither walk fails.
"""

import getpass
import io
import uuid
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from tenants.models import OperatorAction, Tenant
from tenants.scope import tenant_scope
from tenants.services import find_tenant
from tests.admin.conftest import furnish
from tests.api.test_tenancy_sweep import contents
from tests.commands.journeys import look_around, walk_all
from tests.commands.walking import BY, Walk, new_account, verbs
from tests.leaks import CANARY, shown_in

ELSEWHERE = {
    ("migrate", ""): "writes no tenant's rows; Django's own table tells what was migrated",
    ("sweeper", ""): "a process, which does what was asked for already",
    ("operator", "unlock"): "of an account: the history of accounts",
    ("operator", "second-factor-off"): "of an account: the history of accounts",
    ("tenant", "create"): "of a tenant that is not there yet",
    ("keys", "rewrap"): "of all tenants that need it",
}
"""Verbs that the walk does not call, and where they are tested below, or why they leave nothing in the record."""
SHOWN_ONCE = {("api_key", "create"), ("api_key", "rotate"), ("events", "subscribe"), ("events", "rotate")}
OWNERS_EYES = {("recipients", "show"), ("subjects", "export")}
"""They show what was written to whoever may run commands, and say so."""


@pytest.fixture(scope="module")
def walk(_open_database: None, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """All verbs, called."""
    one = furnish("kiwi")
    walk = Walk(one.tenant, Path(tmp_path_factory.mktemp("commands")))
    walk_all(walk, one)
    before = contents(one.tenant)
    read_before = len(walk.reads)
    look_around(walk, one)
    assert contents(one.tenant) == before, "a verb that only looks has written"
    assert len(walk.reads) > read_before
    return walk


def test_every_verb_is_called(walk: Walk) -> None:
    called = {told.name for told in (*walk.writes, *walk.reads)}

    assert verbs().keys() == called | ELSEWHERE.keys()


def test_what_writes_asks_who_and_what_looks_does_not() -> None:
    """Of `steps`, the worker is who."""
    naming = {name for name, options in verbs().items() if {"--by", "--worker"} & set(options)}

    assert naming >= {("api_key", "create"), ("providers", "delete"), ("templates", "push"), ("keys", "rewrap")}
    looking = {("rebuild", "")}  # with --check
    assert naming & {("api_key", "list"), ("trace", ""), ("runs", "export"), *looking} == looking


def test_each_verb_that_writes_is_recorded_in_the_name_of_whoever_asked(walk: Walk) -> None:
    unrecorded = {told.name for told in walk.writes if not told.acts}
    others = {(told.name, act.username, act.via) for told in walk.writes for act in told.acts}

    assert unrecorded == set()
    assert {(name, via) for _, name, via in others} == {(BY, "command")}
    assert {told.name for told in walk.reads if told.acts} == set()
    asked = {name for name, options in verbs().items() if {"--by", "--worker"} & set(options)}
    assert asked == {told.name for told in walk.writes} | ELSEWHERE.keys() - {("migrate", ""), ("sweeper", "")}


def test_it_says_what_was_before_and_after(walk: Walk) -> None:
    def changes(command: str, verb: str) -> dict[str, list[object]]:
        [told] = [one for one in walk.writes if one.name == (command, verb)][:1]
        return {name: change for act in told.acts for name, change in act.changes.items()}

    assert changes("api_key", "revoke")["revoked_at"][0] is None
    assert changes("api_key", "create")["name"] == [None, "every"]
    assert changes("tenant", "member")["role"] == [None, "viewer"]
    assert changes("limits", "set")["amount"] == [1000, 5000]
    assert changes("providers", "put")["kind"] == [None, "teams"]
    assert changes("providers", "put")["sealed"] == [None, "(hidden)"]
    assert changes("providers", "delete")["kind"] == ["teams", None]
    assert changes("segments", "delete")["key"] == ["every_all", None]
    assert changes("events", "disable")["enabled"] == [True, False]
    assert changes("schedules", "disable")["enabled"] == [True, False]
    assert changes("retention", "set")["days"] == [None, 30]
    assert changes("external", "observe")["status"] == ["running", "succeeded"]
    assert changes("digests", "flush")["status"][0] == "open"
    assert changes("steps", "begin")["fence"] == [0, 1]
    assert changes("rebuild", "")["state"] == ["paused", "completed"]
    assert changes("runs", "cancel")["state"] == ["waiting", "cancelled"]
    assert changes("recipients", "prefer")["allowed"] == [None, False]
    assert changes("templates", "retire")["retired_at"][0] is None
    assert changes("definitions", "publish")["status"] == ["draft", "published"]
    assert changes("definitions", "push")["status"] == [None, "published"]


def test_nothing_that_is_said_shows_a_secret_or_a_payload(walk: Walk) -> None:
    for told in (*walk.writes, *walk.reads):
        shown = list(shown_in(told.out.encode()))
        if told.name in SHOWN_ONCE:
            assert len(shown) == 1, told
        elif told.name in OWNERS_EYES:
            assert all(CANARY in one for one in shown), told
        else:
            assert shown == [], told


def test_without_a_name_it_is_the_account_of_the_operating_system(tenant: Tenant) -> None:
    call_command("api_key", "create", "ci", "--scopes", "all", "--tenant", tenant.slug, stdout=io.StringIO())

    [act] = acts(tenant)
    assert (act.username, act.via, act.action, act.object_kind) == (
        getpass.getuser(),
        "command",
        "api_key create",
        "apikey",
    )


def test_a_refusal_is_not_recorded_and_changes_nothing(tenant: Tenant) -> None:
    before = contents(tenant)

    with pytest.raises(CommandError):
        call_command("api_key", "revoke", str(uuid.uuid4()), "--tenant", tenant.slug, stdout=io.StringIO())

    assert contents(tenant) == before


def test_a_new_tenant_and_a_new_wrapping_are_recorded() -> None:
    slug = f"t-{uuid.uuid4().hex[:20]}"
    call_command("tenant", "create", slug, "--by", BY, stdout=io.StringIO())
    tenant = find_tenant(slug)
    assert tenant is not None

    [made] = acts(tenant)
    assert (made.username, made.action, made.changes["slug"]) == (BY, "tenant create", [None, slug])


def test_what_is_done_to_an_account_stands_in_its_history() -> None:
    name = new_account()

    for verb in ("unlock", "second-factor-off"):
        call_command("operator", verb, name, "--by", BY, stdout=io.StringIO())

    account = get_user_model().objects.get(username=name)
    told = LogEntry.objects.filter(object_id=str(account.pk)).order_by("id").values_list("change_message", flat=True)
    assert list(told) == [f"{what}, on the command line by {BY}" for what in ("lock lifted", "second factor removed")]


def acts(tenant: Tenant) -> list[OperatorAction]:
    with tenant_scope(tenant.pk):
        return list(OperatorAction.objects.filter(tenant_id=tenant.pk).order_by("id"))
