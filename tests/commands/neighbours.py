"""What a tenant can say to a command that names a thing of another: an entry for every verb.

A verb without an entry in one of the three tables fails `tests/admin/test_sweep.py`.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deliveries.models import Broadcast, Suppression
from tests.admin.conftest import Furnished

Calls = Sequence[Sequence[str]]
WHY = ("--reason", "mischief")
TIMES = ("--started", "2026-01-01T00:00:00+00:00", "--finished", "2026-01-01T00:01:00+00:00")
IN_APP = ("--channel", "in_app")


@dataclass(frozen=True)
class Names:
    """What to call the things of one tenant, and `own`: the mark of the tenant that calls them so."""

    own: str
    mark: str
    run: str
    pruned: str
    signal: str
    key: str
    cast: str
    digest: str
    event: str
    hold: str
    sticky: str
    suppression: str

    @property
    def step(self) -> str:
        """The effect key of a step run."""
        return f"{self.run}:tell:1"


def names_of(one: Furnished, own: str) -> Names:
    """The names of what a tenant has."""
    cast = next(row for row in one.people if isinstance(row, Broadcast))
    things = {
        "cast": cast,
        "suppression": next(row for row in one.people if isinstance(row, Suppression)),
        **{name: getattr(one, name) for name in ("run", "signal", "key", "digest", "event", "hold")},
    }
    ids = {name: str(row.public_id) for name, row in things.items()}
    return Names(own, one.mark, pruned=str(one.tombstone.run_public_id), sticky=str(one.sticky.public_id), **ids)


def nobodys(own: str) -> Names:
    """Names of nothing."""
    ids = {name: str(uuid.uuid4()) for name in Names.__annotations__.keys() - {"own", "mark"}}
    return Names(own, "wombat", **ids)


def _runs(verb: str, *more: str) -> Callable[[Names], Calls]:
    return lambda one: [[verb, one.run, *more]]


def _steps(verb: str, *more: str) -> Callable[[Names], Calls]:
    return lambda one: [[verb, one.step, *more]]


def _named(verb: str, name: str, *more: str) -> Callable[[Names], Calls]:
    return lambda one: [[verb, f"{one.mark}_{name}", *more]]


def _bulk(one: Names) -> Calls:
    which = (("--workflow", f"{one.mark}_flow"), ("--subject", f"{one.mark}_anna"))
    which += (("--correlation", f"invoice_id={one.mark}_7"),)
    return [["bulk", "cancel", *condition, *WHY] for condition in which]


#: Answered in the same words as a name of nothing, and nothing is written. What ends a thing comes after what needs it.
SAME: Mapping[tuple[str, str], Callable[[Names], Calls]] = {
    ("api_key", "list"): lambda one: [["list"]],
    ("api_key", "rotate"): lambda one: [["rotate", one.key]],
    ("api_key", "revoke"): lambda one: [["revoke", one.key]],
    ("broadcast", "list"): lambda one: [["list"]],
    ("broadcast", "show"): lambda one: [["show", one.cast]],
    ("broadcast", "preview"): lambda one: [["preview", one.cast]],
    ("broadcast", "report"): lambda one: [["report", one.cast]],
    ("broadcast", "start"): lambda one: [["start", one.cast, "--token", "mischief"]],
    ("broadcast", "cancel"): lambda one: [["cancel", one.cast, "--runs", *WHY]],
    ("broadcast", "create"): lambda one: [
        ["create", f"{one.mark}_flow", "--segment", f"{one.own}_all"],
        ["create", f"{one.own}_flow", "--segment", f"{one.mark}_all"],
    ],
    ("digests", "list"): lambda one: [["list"]],
    ("digests", "show"): lambda one: [["show", one.digest]],
    ("digests", "flush"): lambda one: [["flush", one.digest, *WHY]],
    ("digests", "remove"): lambda one: [["remove", one.digest, "1", *WHY]],
    ("events", "subscriptions"): lambda one: [["subscriptions"]],
    ("events", "list"): lambda one: [["list"], ["list", "--run", one.run]],
    ("events", "show"): lambda one: [["show", one.event]],
    ("events", "enable"): _named("enable", "crm"),
    ("events", "rotate"): _named("rotate", "crm"),
    ("events", "ping"): _named("ping", "crm"),
    ("events", "resend"): lambda one: [
        ["resend", one.event, f"{one.own}_crm"],
        ["resend", one.event, f"{one.mark}_crm"],
    ],
    ("events", "replay"): lambda one: [
        ["replay", f"{one.mark}_crm", "--from", "2020-01-01T00:00:00+00:00", "--include-delivered"],
        ["replay", f"{one.own}_crm", "--after", one.event, "--include-delivered"],
    ],
    ("events", "disable"): _named("disable", "crm"),
    ("events", "unsubscribe"): _named("unsubscribe", "crm"),
    ("explain", ""): lambda one: [[one.run], [one.signal, "--signal"]],
    ("external", "list"): lambda one: [["list"], ["list", "--kind", f"{one.mark}_transfer"]],
    ("external", "show"): lambda one: [["show", f"{one.mark}_transfer", f"{one.mark}_1"]],
    ("providers", "list"): lambda one: [["list"]],
    ("providers", "test"): _named("test", "team", "--wait", "0"),
    ("providers", "delete"): _named("delete", "team"),
    ("rebuild", ""): lambda one: [["--run", one.run, "--write"], ["--workflow", f"{one.mark}_flow", "--write"]],
    ("recipients", "show"): _named("show", "anna"),
    ("recipients", "history"): _named("history", "anna"),
    ("recipients", "sent_to"): lambda one: [["sent_to"]],
    ("recipients", "find"): lambda one: [["find"]],
    ("retention", "show"): lambda one: [["show"]],
    ("retention", "hold"): lambda one: [["hold", "run", one.run, *WHY]],
    ("retention", "release"): lambda one: [["release", one.hold]],
    ("retention", "tombstone"): lambda one: [["tombstone", one.pruned]],
    ("runs", "cancel-key"): lambda one: [["cancel-key", "--correlation", f"invoice_id={one.mark}_7", *WHY]],
    ("runs", "start"): _named("start", "flow", "zoe"),
    ("runs", "list"): lambda one: [
        ["list"],
        ["list", "--workflow", f"{one.mark}_flow"],
        ["list", "--subject", f"{one.mark}_anna"],
        ["list", "--correlation", f"invoice_id={one.mark}_7"],
    ],
    ("runs", "show"): _runs("show"),
    ("runs", "state"): _runs("state", "--seq", "1"),
    ("runs", "export"): _runs("export", "--payloads"),
    ("runs", "note"): _runs("note", "mischief"),
    ("runs", "change"): _runs("change", "--deadline", "2099-01-01T00:00:00+00:00", *WHY),
    **{("runs", verb): _runs(verb, *WHY) for verb in ("cancel", "compensate", "wake", "pause", "resume", "replay")},
    **{("runs", verb): _runs(verb, "--by", "olga") for verb in ("approve", "reject")},
    ("runs", "bulk"): _bulk,
    ("runs", "sticky"): lambda one: [["sticky"]],
    ("runs", "lift"): lambda one: [["lift", one.sticky]],
    ("schedules", "create"): lambda one: [["create", "mischief", f"{one.mark}_flow", "0 9 * * *", "zoe"]],
    ("schedules", "change"): lambda one: [
        ["change", f"{one.mark}_daily", "--expression", "0 10 * * *"],
        ["change", f"{one.own}_daily", "--workflow", f"{one.mark}_flow"],
    ],
    ("schedules", "list"): lambda one: [["list"]],
    **{("schedules", verb): _named(verb, "daily") for verb in ("preview", "enable", "disable", "delete")},
    ("segments", "list"): lambda one: [["list"]],
    ("segments", "count"): _named("count", "all"),
    ("segments", "delete"): _named("delete", "all"),
    ("sending_rules", "show"): lambda one: [["show"]],
    ("steps", "unknown"): lambda one: [["unknown"]],
    ("steps", "attempts"): _steps("attempts"),
    ("steps", "settle"): _steps("settle", "delivered", *WHY),
    ("steps", "begin"): _steps("begin", "--worker", "olga", "--early"),
    ("steps", "renew"): _steps("renew", "1", "--worker", "olga"),
    ("steps", "complete"): _steps("complete", "1", "delivered", "--worker", "olga"),
    ("steps", "fail"): _steps("fail", "1", "broken", "--worker", "olga"),
    ("steps", "record"): _steps("record", "1", "temporary_failure", *TIMES, "--worker", "olga"),
    ("suppressions", "list"): lambda one: [["list"]],
    ("suppressions", "lift"): lambda one: [["lift", one.suppression, *WHY]],
    ("templates", "publish"): _named("publish", "note", *IN_APP),
    ("templates", "retire"): _named("retire", "note", *IN_APP, "--force"),
    ("templates", "preview"): _named("preview", "note", *IN_APP),
    ("templates", "test"): _named("test", "note", *IN_APP, "--to", "zoe"),
    ("trace", ""): lambda one: [[one.run]],
    ("verify_trace", ""): lambda one: [["--run", one.run]],
    ("definitions", "list"): lambda one: [["list"], ["list", f"{one.mark}_flow"]],
    ("definitions", "pull"): lambda one: [["pull", "/nowhere", f"{one.mark}_flow", "--dry-run"]],
    ("definitions", "publish"): _named("publish", "flow", "1"),
    ("definitions", "retire"): _named("retire", "flow", "1"),
    ("definitions", "switch"): _named("switch", "flow", "all_off", *WHY),
    ("definitions", "migrate"): _named("migrate", "flow", "--from", "1", "--to", "1", "--apply", *WHY),
}
#: They make or change what the tenant itself calls so; whatever another calls the same is untouched.
OWN: Mapping[tuple[str, str], Callable[[Names], Calls]] = {
    ("api_key", "create"): _named("create", "key", "--scopes", "all"),
    ("events", "subscribe"): _named("subscribe", "crm", "https://mischief.example.com/"),
    ("external", "observe"): lambda one: [["observe", f"{one.mark}_transfer", f"{one.mark}_1", "failed"]],
    ("recipients", "prefer"): lambda one: [["prefer", "no", f"{one.mark}_anna", "--category", f"{one.own}_news"]],
    ("segments", "put"): _named("put", "all", '{"path": "recipient.id", "exists": false}'),
    ("subjects", "export"): _named("export", "anna"),
    ("subjects", "erase"): _named("erase", "anna"),
    ("retention", "plan"): lambda one: [["plan"]],
    ("runs", "cancel-key"): lambda one: [
        ["cancel-key", "--correlation", f"invoice_id={one.mark}_7", "--sticky-for", "P1D", *WHY]
    ],
    ("retention", "hold"): lambda one: [
        ["hold", on, f"{one.mark}_{name}", *WHY] for on, name in (("subject", "anna"), ("definition", "flow"))
    ],
}
OF_ALL = "for whoever runs the service: about the accounts, keys or rows of all tenants"
SHELL = "its tenant is its own argument: whoever has a shell may name any"
NO_ID = "names nothing but its own tenant"
IN_BODIES = "tests/api/test_named_in_bodies.py::"
NAMED_IN_IT = f"{IN_BODIES}test_what_a_body_names_of_another_tenant_is_missing"
ITS_OWN_NAME = f"{IN_BODIES}test_a_name_that_every_tenant_gives_for_itself_reaches_no_other"
#: Verbs that take no name of a thing of a tenant, and why that is so.
NAME_NOTHING: Mapping[tuple[str, str], str] = {
    **{("audit", verb): SHELL for verb in ("export", "prune")},
    **{("limits", verb): SHELL for verb in ("show", "set")},
    **{("tenant", verb): SHELL for verb in ("create", "show", "member")},
    **{("keys", verb): OF_ALL for verb in ("show", "rewrap", "rotate", "reseal")},
    **{("operator", verb): OF_ALL for verb in ("show", "unlock", "second-factor-off")},
    **{(process, ""): OF_ALL for process in ("migrate", "sweeper")},
    **{("heads", verb): NO_ID for verb in ("sign", "export", "check", "keys")},
    ("payloads", "collect"): NO_ID,
    ("retention", "set"): NO_ID,
    ("retention", "prune"): NO_ID,
}
#: Verbs that read what they write from a file, and the test that holds what a file may name.
FROM_A_FILE: Mapping[tuple[str, str], str] = {
    **{("definitions", verb): NAMED_IN_IT for verb in ("push", "diff", "validate", "import-chimeway")},
    ("providers", "put"): ITS_OWN_NAME,
    ("recipients", "put"): ITS_OWN_NAME,
    ("sending_rules", "put"): NAMED_IN_IT,
    ("templates", "push"): ITS_OWN_NAME,
    ("runs", "import"): "tests/history/test_export_import.py::test_importing_it_again_changes_nothing",
}
