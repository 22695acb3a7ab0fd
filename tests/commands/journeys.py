"""What there is to walk through, and the walk: all that writes, then all that only looks."""

import json
from typing import Any

from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished
from tests.commands.walking import Told, Walk, new_account
from tests.definitions.test_chimeway import escalation
from tests.digests.collecting import bring, collecting
from tests.journeys import drain, publish
from tests.leaks import CANARY
from workflows.models import Run

HOOK, TOKEN = "https://hooks.example.com/canary-of-a-hook-2", "canary-of-a-credential-2"
CALL: dict[str, Any] = {"key": "call", "kind": "http", "url": "https://example.com/"}
NOTE = {"steps": [{"key": "tell", "kind": "deliver", "channel": "in_app", "template": "every_said"}]}
SAY = {"kind": "deliver", "channel": "in_app", "template": "hi"}
UNDOES = {
    "key": "undoes",
    "templates": {"hi": {"title": "Hi", "text": "Hello"}},
    "steps": [{"key": "say", **SAY, "compensate": SAY}],
}
DOCUMENTS = [
    {"key": "waits", "correlation": ["order"], "steps": [{"key": "rest", "kind": "wait", "for": "P1D"}]},
    {"key": "asks", "steps": [{"key": "may_it", "kind": "approval", "actors": ["olga"], "for": "P3D"}]},
    {"key": "calls", "steps": [CALL]},
    {"key": "calls_once", "steps": [{**CALL, "at_most_once": True}]},
    UNDOES,
]
WHY = ("--reason", "because")


def walk_all(walk: Walk, one: Furnished) -> None:
    """Every verb of every command."""
    for document in DOCUMENTS:
        publish(walk.tenant, document)
    collecting(walk.tenant)
    bring(walk.tenant, 1, 2, 3)
    drain(walk.tenant)
    for part in (_accounts, _stored, _people, _workflows, _runs, _steps, _events, _kept):
        part(walk, one)
    drain(walk.tenant)


def _accounts(walk: Walk, one: Furnished) -> None:
    slug, account = walk.tenant.slug, new_account()
    key = walk.write("api_key", "create", "every", "--scopes", "all")
    rotated = walk.write("api_key", "rotate", json.loads(key.out)["id"])
    walk.write("api_key", "revoke", json.loads(rotated.out)["id"])
    walk.write("tenant", "member", slug, account, "--role", "viewer", tenant=False)
    walk.write("limits", "set", slug, "live_runs", "5000", tenant=False)
    walk.write("keys", "rotate")
    walk.write("keys", "reseal")
    walk.write("audit", "prune", slug, "--days", "90", tenant=False)


def _stored(walk: Walk, one: Furnished) -> None:
    provider = walk.file("provider.yaml", "kind: teams\n")
    secret = walk.file("credentials.yaml", f"url: {HOOK}\n")
    walk.write("providers", "put", "every_room", provider, "--credentials", secret)
    walk.write("providers", "test", "every_room", "--wait", "0")
    walk.write("providers", "delete", "every_room")
    rules = {"quiet_hours": [{"from": "21:00", "to": "06:00"}], "caps": []}
    walk.write("sending_rules", "put", walk.file("rules.json", json.dumps(rules)))
    words = {"every_said": {"in_app": {"subject": "Hi", "text": "Hello {{ data.note }}"}}}
    walk.write("templates", "push", walk.file("words.json", json.dumps(words)), "--draft")
    walk.write("templates", "publish", "every_said", "--channel", "in_app")
    data = walk.file("data.json", json.dumps({"note": CANARY}))
    walk.write("templates", "test", "every_said", "--channel", "in_app", "--to", "ada", "--data", data)
    walk.write("templates", "retire", "every_said", "--channel", "in_app", "--force")


def _people(walk: Walk, one: Furnished) -> None:
    ada = {"id": "ada", "addresses": {"email": "ada@example.com"}, "attributes": {"said": CANARY}}
    walk.write("recipients", "put", walk.file("people.jsonl", json.dumps(ada)))
    walk.write("recipients", "prefer", "no", "ada", "--category", f"{one.mark}_news")
    walk.write("segments", "put", "every_all", '{"path": "recipient.id", "exists": true}')
    cast = walk.write("broadcast", "create", "waits", "--segment", "every_all")
    look = json.loads(walk.read("broadcast", "preview", cast.ids[0]).out)
    walk.write("broadcast", "start", cast.ids[0], "--token", look["token"])
    walk.write("broadcast", "cancel", cast.ids[0], *WHY)
    walk.write("segments", "delete", "every_all")
    walk.write("suppressions", "lift", walk.read("suppressions", "list").ids[0], *WHY)
    walk.write("subjects", "erase", "nobody")
    walk.write("payloads", "collect")


def _workflows(walk: Walk, one: Furnished) -> None:
    moved = {**DOCUMENTS[0], "steps": [{"key": "rest", "kind": "wait", "for": "P2D"}]}
    walk.write("definitions", "push", walk.file("waits.json", json.dumps(moved)), "--publish")
    third = {**moved, "steps": [{"key": "rest", "kind": "wait", "for": "P3D"}]}
    walk.write("definitions", "push", walk.file("third.json", json.dumps(third)))
    walk.write("definitions", "publish", "waits", 3)
    walk.write("definitions", "migrate", "waits", "--from", 1, "--to", 2, "--apply", *WHY)
    walk.write("definitions", "retire", "waits", 1)
    walk.write("definitions", "switch", "asks", "starts_off", *WHY)
    walk.write("definitions", "switch", "asks", "on", *WHY)
    walk.write("schedules", "create", "every_day", "waits", "0 9 * * *", "ada")
    for verb, *more in (("change", "--expression", "0 10 * * *"), ("disable",), ("enable",), ("delete",)):
        walk.write("schedules", verb, "every_day", *more)
    digest = walk.read("digests", "list", "--status", "open").ids[0]
    walk.write("digests", "remove", digest, 1, *WHY)
    walk.write("digests", "flush", digest, *WHY)


def _started(walk: Walk, key: str, *words: Any) -> str:
    """The id of a run that was started on the command line, and has come to its first step."""
    told = walk.write("runs", "start", key, "ada", "--data", json.dumps({"note": CANARY}), *words)
    drain(walk.tenant)
    return told.ids[0]


def _runs(walk: Walk, one: Furnished) -> None:
    run, other = _started(walk, "waits", "--correlation", "order=1"), _started(walk, "waits")
    walk.write("runs", "note", run, "seen")
    walk.write("runs", "change", run, "--deadline", "2099-01-01T00:00:00+00:00", *WHY)
    for verb in ("pause", "resume", "wake"):
        walk.write("runs", verb, run, *WHY)
        drain(walk.tenant)
    walk.write("runs", "cancel", other, *WHY)
    walk.write("runs", "replay", other, *WHY)
    walk.write("runs", "compensate", _started(walk, "undoes"), *WHY)
    walk.write("runs", "bulk", "cancel", "--workflow", "waits", *WHY)
    walk.write("runs", "cancel-key", "--correlation", "order=2", "--sticky-for", "P1D", *WHY)
    sticky = walk.read("runs", "sticky").ids[0]
    walk.write("runs", "lift", sticky)
    walk.write("runs", "approve", _started(walk, "asks"))
    walk.write("runs", "reject", _started(walk, "asks"))
    exported = walk.folder / "runs.jsonl"
    walk.read("runs", "export", run, "--out", exported)
    walk.write("runs", "import", exported)
    with tenant_scope(walk.tenant.pk):
        Run.objects.filter(public_id=run).update(state="paused")  # which its trace does not say
    walk.write("rebuild", "", "--run", run, "--write")
    walk.write("external", "observe", f"{one.mark}_transfer", f"{one.mark}_1", "succeeded")


def _steps(walk: Walk, one: Furnished) -> None:
    worker, times = ("--worker", "olga"), ("--started", "2026-01-01T00:00:00+00:00")
    times += ("--finished", "2026-01-01T00:01:00+00:00")

    def begun(key: str) -> tuple[str, int]:
        place = f"{_started(walk, key)}:call:1"
        told: Told = walk.write("steps", "begin", place, *worker, by=False)
        return place, int(told.out.partition("fence ")[2].partition(",")[0])

    done, failed, unknown = begun("calls"), begun("calls"), begun("calls_once")
    walk.write("steps", "renew", *done, *worker, by=False)
    walk.write("steps", "complete", *done, *worker, "succeeded", by=False)
    walk.write("steps", "fail", *failed, *worker, "broken", by=False)
    walk.write("steps", "fail", *unknown, *worker, "broken", "--maybe-done", by=False)
    walk.write("steps", "settle", unknown[0], "succeeded", *WHY)
    place = f"{_started(walk, 'calls')}:call:1"
    walk.write("steps", "record", place, 1, "temporary_failure", *times, *worker, by=False)
    walk.read("steps", "attempts", place)
    walk.read("steps", "unknown")


def _events(walk: Walk, one: Furnished) -> None:
    walk.write("events", "subscribe", "every_crm", "https://events.example.com/")
    ping = walk.write("events", "ping", "every_crm").ids[0]
    walk.write("events", "resend", ping, "every_crm")
    walk.write("events", "replay", "every_crm", "--from", "2020-01-01T00:00:00+00:00", "--include-delivered")
    walk.write("events", "rotate", "every_crm")
    walk.write("events", "disable", "every_crm")
    walk.write("events", "enable", "every_crm")
    walk.read("events", "show", ping)
    walk.write("events", "unsubscribe", "every_crm")


def _kept(walk: Walk, one: Furnished) -> None:
    walk.write("retention", "set", "completed", 30)
    hold = walk.write("retention", "hold", "subject", "ada", *WHY).ids[0]
    walk.write("retention", "release", hold)
    plan = walk.read("retention", "plan").out.split()[-1]
    walk.write("retention", "prune", "--plan", plan, *WHY)
    walk.write("heads", "sign")


def look_around(walk: Walk, one: Furnished) -> None:
    """Every verb that only looks and was not called yet."""
    slug, run, heads = walk.tenant.slug, one.run.public_id, walk.folder / "heads.jsonl"
    documents, cast = walk.folder / "pulled", one.people[2].public_id
    flow = walk.file("flow.json", json.dumps(DOCUMENTS[0]))
    theirs = walk.file("theirs.json", json.dumps(escalation()))
    for words in (
        *(("api_key", "list"), ("events", "list"), ("events", "subscriptions"), ("external", "list")),
        *(("providers", "list"), ("segments", "list"), ("sending_rules", "show"), ("schedules", "list")),
        *(
            ("definitions", "list"),
            ("retention", "show"),
            ("runs", "list"),
            ("runs", "show", run),
            ("broadcast", "list"),
            ("verify_trace", ""),
        ),
        *(("external", "show", f"{one.mark}_transfer", f"{one.mark}_1"), ("digests", "show", one.digest.public_id)),
        *(("explain", "", run), ("trace", "", run), ("runs", "state", run, "--seq", 1), ("rebuild", "", "--check")),
        *(("broadcast", "show", cast), ("broadcast", "report", cast), ("segments", "count", f"{one.mark}_all")),
        *(
            ("heads", "export", "--out", heads),
            ("heads", "check", heads),
            ("schedules", "preview", f"{one.mark}_daily"),
        ),
        *(("recipients", "show", "ada"), ("recipients", "history", "ada"), ("subjects", "export", "ada")),
        *(("templates", "preview", f"{one.mark}_note", "--channel", "in_app"), ("definitions", "pull", documents)),
        *(("definitions", "diff", flow), ("retention", "tombstone", one.tombstone.run_public_id)),
    ):
        walk.read(*words)
    walk.read("recipients", "sent_to", said="ada@example.com\n")
    walk.read("recipients", "find", said="ada@example.com\n")
    for words in (
        *(("audit", "export", slug, "--csv"), ("audit", "export", slug), ("limits", "show", slug)),
        *(("tenant", "show", slug), ("operator", "show", new_account()), ("keys", "show"), ("heads", "keys")),
        *(("definitions", "validate", flow), ("definitions", "import-chimeway", theirs, "--dry-run")),
    ):
        walk.read(*words, tenant=False)
