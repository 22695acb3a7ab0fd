"""Files that are brought in, by REST and by commands: taken whole, or refused by line or path with nothing stored."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import yaml
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.api.rich import Party, document, make_party
from tests.api.test_tenancy_sweep import contents
from tests.fuzz.bent import bent
from tests.fuzz.raw import raw
from tests.fuzz.test_document import REFUSAL
from tests.fuzz.test_raw_webhooks import fuzzed

CHIMEWAY = {
    "workflow_key": "mention_escalation",
    "workflow_version": 1,
    "steps": [
        {"step_key": "inbox", "step_order": 1, "channel": "in_app", "config": {"progress": []}},
        {"step_key": "mail", "step_order": 2, "channel": "email", "config": {"progress": []}},
    ],
}
RECIPIENTS = [{"id": "ada", "addresses": {"email": "ada@example.com"}, "zone": "Europe/Vienna"}, {"id": "bob"}]
TARGETS = [{"subject": "ada", "data": {"said": "x"}, "correlation": {"order": 1}}, {"subject": "bob"}]
CSV = b'subject,data.said,correlation.order\r\nada,"x, y",1\r\nbob,,2\r\n'
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
FORM += CSV + b"\r\n--x--\r\n"
RULES = {
    "quiet_hours": [{"from": "22:00", "to": "07:00", "channels": ["sms"], "weekdays": ["mon"]}],
    "caps": [{"name": "few", "channel": "email", "limit": 3, "per": "P1D", "then": "drop"}],
}
PROVIDER = {"kind": "twilio", "config": {"account_sid": "AC1", "from": "+1555"}, "rate": {"count": 3, "seconds": 1}}
SECRETS = {"auth_token": "token"}
GREETING = {"subject": "Hello", "text": "Hello {{ data.name }}", "locales": {"de": {"text": "Hallo"}}}
TEMPLATES = {"hello": {"email": GREETING}}


def lines(rows: list[Any]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_yaml(value: Any) -> bytes:
    """YAML."""
    return yaml.safe_dump(value, sort_keys=False).encode()


@dataclass(frozen=True)
class Command:
    """A command that reads a file. `…` stands for the file, `TENANT` for the tenant."""

    name: str
    arguments: list[Any]
    good: list[bytes]
    ending: str

    def __str__(self) -> str:
        return f"{self.name} {self.arguments[0]} {self.ending}"


DOCUMENT = document("mine_too")
TENANT = "--tenant"
KIND = "KIND"  # a file that says which provider it is
COMMANDS = [
    Command("definitions", ["validate", ...], [as_yaml(DOCUMENT)], "yaml"),
    Command("definitions", ["push", ..., TENANT], [as_yaml(DOCUMENT)], "yaml"),
    Command("definitions", ["push", ..., "--publish", TENANT], [json.dumps(DOCUMENT).encode()], "json"),
    Command("definitions", ["diff", ..., TENANT], [as_yaml(DOCUMENT)], "yaml"),
    Command("definitions", ["import-chimeway", ..., "--dry-run"], [json.dumps(CHIMEWAY).encode()], "json"),
    Command("recipients", ["put", ..., TENANT], [lines(RECIPIENTS)], "jsonl"),
    Command("broadcast", ["create", "mine_definition", "--file", ..., TENANT], [lines(TARGETS)], "jsonl"),
    Command("broadcast", ["create", "mine_definition", "--file", ..., TENANT], [CSV], "csv"),
    Command("sending_rules", ["put", ..., TENANT], [json.dumps(RULES).encode()], "json"),
    Command("providers", ["put", "mine_provider", ..., TENANT], [as_yaml(PROVIDER)], "yaml"),
    Command("providers", ["put", "mine_provider", KIND, "--credentials", ..., TENANT], [as_yaml(SECRETS)], "yaml"),
    Command("templates", ["push", ..., TENANT], [as_yaml(TEMPLATES)], "yaml"),
    Command("runs", ["import", ..., TENANT], [], "jsonl"),
    Command("heads", ["check", ..., "--heads-only", TENANT], [], "jsonl"),
]
UPLOADS = [
    ("post /v1/runs/import", "application/x-ndjson", []),
    ("put /v1/broadcasts/{file_broadcast}/targets", "text/csv", [CSV]),
    ("put /v1/broadcasts/{file_broadcast}/targets", "text/csv; charset=utf-16", [CSV]),
    ("put /v1/broadcasts/{file_broadcast}/targets", "application/x-ndjson", [lines(TARGETS)]),
    ("put /v1/broadcasts/{file_broadcast}/targets", "multipart/form-data; boundary=x", [FORM]),
    ("post /v1/definitions", "application/yaml", [as_yaml(document("mine_too"))]),
]


@pytest.fixture(scope="module")
def owner() -> Party:
    """Whose files they are."""
    return make_party("mine")


def run(command: Command, file: Path, owner: Party) -> str:
    """What the command said of a file that it refused; nothing if it took it. Anything but CommandError is a fault."""
    kind = file.with_suffix(".kind")
    kind.write_bytes(as_yaml(PROVIDER))
    given = [{...: str(file), KIND: str(kind)}.get(one, one) for one in command.arguments]
    given += [owner.tenant.slug] if given[-1] == TENANT else []
    told = io.StringIO()
    try:
        call_command(command.name, *given, stdout=told, stderr=told)
    except CommandError as error:
        return f"{error}\n{told.getvalue()}"
    return ""


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_takes_a_file_or_says_where_it_is_wrong(command: Command, owner: Party, tmp_path: Path) -> None:
    file = tmp_path / f"file.{command.ending}"
    good = command.good or exported(command.name, owner)
    file.write_bytes(good[0])
    assert run(command, file, owner) == ""
    before = contents(owner.tenant)

    def any_bytes(data: st.DataObject) -> None:
        nonlocal before
        file.write_bytes(data.draw(drawn(command.name, good)))
        refused = run(command, file, owner)
        after = contents(owner.tenant)
        if refused:
            assert "/" in refused or "head " in refused, refused
            assert after == before
        before = after

    fuzzed(any_bytes)


@pytest.mark.parametrize(("asked", "media", "good"), UPLOADS, ids=lambda one: one if isinstance(one, str) else "")
def test_an_upload_is_taken_or_told_where_it_is_wrong(asked: str, media: str, good: list[bytes], owner: Party) -> None:
    verb, path = asked.split()
    good = good or exported("runs", owner)
    path, before = path.format(**owner.names), contents(owner.tenant)

    def any_bytes(data: st.DataObject) -> None:
        nonlocal before
        body = data.draw(drawn(path, good))
        answer = owner.client.generic(verb.upper(), path, body, content_type=media)
        after = contents(owner.tenant)
        assert answer.status_code in {200, 201, 400, 409, 413, 415}, (answer.status_code, answer.content)
        if answer.status_code >= 400:
            assert answer.json().keys() == REFUSAL
            assert after == before
        before = after

    fuzzed(any_bytes)


def exported(what: str, owner: Party) -> list[bytes]:
    """What the tenant has, as it is exported."""
    return [owner.names["export"]] if what == "runs" else [told("heads", "export", owner)]


def told(*arguments: Any) -> bytes:
    """What a command prints for a tenant."""
    *given, owner = arguments
    printed = io.StringIO()
    call_command(*given, TENANT, owner.tenant.slug, stdout=printed)
    return printed.getvalue().encode()


def drawn(what: str, good: list[bytes]) -> st.SearchStrategy[bytes]:
    """Anything; and of exports also such as were changed by somebody who knows how to close them again."""
    return raw(good) | closed_again(good[0]) if "runs" in what else raw(good)


@st.composite
def closed_again(draw: st.DrawFn, export: bytes) -> bytes:
    """An export with one or two values of one line changed, and the end that fits."""
    *rows, _ = (json.loads(line) for line in export.splitlines())
    at = draw(st.integers(0, len(rows) - 1))
    rows[at] = draw(bent([rows[at]]))
    body = lines(rows)
    end = {"kind": "end", "lines": len(rows), "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(end, separators=(",", ":")).encode() + b"\n"
