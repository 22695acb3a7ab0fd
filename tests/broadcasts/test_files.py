"""Files of targets: every fault with its line and column, all rows or none, whatever a spreadsheet makes of text."""

import csv
import json
from typing import Any

import pytest

from chimeway_py.csvtext import defused
from signals_app.services.payloads import load_payloads
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tests.broadcasts.conftest import Sender
from workflows.models import Run

CSV = "Kunde;E-Mail;Betrag;data.vip;recipient.attributes.plan;data.headline;Notiz\r\n"
COLUMNS = {"Kunde": "subject", "E-Mail": "recipient.addresses.email", "Betrag": "data.amount", "Notiz": ""}


def data_of(sender: Sender, run: Run) -> Any:
    with tenant_scope(sender.tenant.pk):
        (found,) = load_payloads(sender.tenant.pk, [bytes(run.data_sha or b"")]).values()
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
def test_a_spreadsheet_becomes_runs_and_recipients(sender: Sender, encoding: str) -> None:
    made = sender.make(columns=COLUMNS, data={"headline": "Für alle", "amount": 1})
    rows = 'jö;jo@example.com;12.5;TRUE;pro;"Zeile 1\r\nmit ""Wort"""; x\r\n\r\nmax;;;;;;\r\n'

    filled = sender.upload(made["id"], (CSV + rows).encode(encoding), f"text/csv; charset={encoding}")
    sender.start(made["id"])
    sender.go_on()

    assert (filled.status_code, filled.json()["total"]) == (200, 2)
    first, second = sorted(sender.runs(), key=lambda run: run.subject)
    assert data_of(sender, first) == {"headline": 'Zeile 1\r\nmit "Wort"', "amount": 12.5, "vip": True}
    assert (second.subject, data_of(sender, second)) == ("max", {"headline": "Für alle", "amount": 1})
    known = sender.rest.get("/v1/recipients/jö").json()
    assert (known["addresses"], known["attributes"]) == ({"email": "jo@example.com"}, {"plan": "pro"})


def test_all_faults_are_told_at_once_with_line_and_column_and_nothing_is_stored(sender: Sender) -> None:
    made = sender.make(columns=COLUMNS)
    file = CSV + 'ada;not a mail;viel;;;Hello;\nbob;;1;;;"two\nlines";\nb"ad;;;;;;\nmore;than\n;;;;;no subject;\n'
    before = sender.rows()

    answer = sender.upload(made["id"], file)

    assert answer.status_code == 400
    body = answer.json()
    told = {(one["line"], one.get("column"), one["code"]) for one in body["detail"]}
    assert told >= {(2, "E-Mail", "bad_address"), (2, "Betrag", "type"), (6, None, "bad_length")}, body["detail"]
    assert (7, "Kunde", "bad_subject") in told
    assert "Nothing was stored" in body["message"]
    assert sender.rows() == before
    assert sender.shown(made["id"])["total"] == 0


def test_a_thousand_faults_are_counted_and_a_hundred_listed(sender: Sender) -> None:
    made = sender.make()
    answer = sender.upload(made["id"], "subject,data.headline\n" + "x,\n" * 999 + "y,fine\n").json()

    assert answer["message"].startswith("999 faults; the first 100 are listed")
    assert len(answer["detail"]) == 100


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("", "missing"),
        ("data.headline\nx\n", "missing"),
        ("subject,Name,data.headline\nada,x,x\n", "unknown_column"),
        ("subject,subject\nada,x\n", "repeated"),
        (b"subject,data.headline\nada,\xff\xfe\n", "bad_encoding"),
        ("subject,data.headline\nada,a\0b\n", "nul"),
        ('subject,data.headline\nada,"never closed\n', "bad_csv"),
        ('subject,data.headline\nada,"a"b\n', "bad_csv"),
        ("subject,data.headline\nada," + "x" * 10_001, "too_long"),
        ("subject,data.headline\nada," + "x" * 300_000, "too_long"),
        ("subject,data.headline\n" + "s" * 201 + ",x\n", "bad_subject"),
        ("subject,correlation.other,data.headline\nada,1,x\n", "undeclared"),
        ("subject,data.headline,data.amount\nada,x,007\n", "type"),
    ],
)
def test_what_is_no_list_of_targets_is_refused(sender: Sender, file: str | bytes, code: str) -> None:
    made = sender.make()
    before = sender.rows()

    answer = sender.upload(made["id"], file)

    assert answer.status_code == 400, answer.content
    assert code in {one["code"] for one in answer.json()["detail"]}, answer.json()
    assert sender.rows() == before


def test_json_lines_say_the_same_and_a_form_may_carry_them(sender: Sender) -> None:
    lines = [{"subject": "ada", "data": {"headline": "A"}}, {"subject": "bob", "data": {"headline": "B"}}]
    lines[1]["recipient"] = {"locale": "de"}
    file = "\n".join(map(json.dumps, lines))
    form = b'--X\r\nContent-Disposition: form-data; name="file"; filename="people.jsonl"\r\n\r\n%s\r\n--X--\r\n'
    made = sender.make(correlation={"campaign": "spring"})

    plain = sender.upload(made["id"], file, "application/x-ndjson")
    again = sender.upload(made["id"], form % file.encode(), "multipart/form-data; boundary=X")
    wrong = sender.upload(made["id"], f'{file}\n{{"subject": 1, "datum": 2}}\n[]', "application/x-ndjson")
    sender.start(made["id"])
    sender.go_on()

    assert (plain.json()["total"], again.json()["total"]) == (2, 2)
    assert [(one["line"], one["path"]) for one in wrong.json()["detail"]] == [
        (3, "/3/subject"),
        (3, "/3/datum"),
        (4, "/4"),
    ]
    spring = {"campaign": "spring"}
    assert {run.subject: run.correlation for run in sender.runs()} == {"ada": spring, "bob": spring}
    assert sender.rest.get("/v1/recipients/bob").json()["locale"] == "de"


def test_a_file_is_bounded_and_of_a_known_type(sender: Sender, settings: Any, client_of: Any) -> None:
    made = sender.make()
    fine = "subject,data.headline\nada,x\n"
    settings.BROADCAST_MAX_BYTES, settings.BROADCAST_MAX_TARGETS = 100, 2

    assert sender.upload(made["id"], fine + "x" * 100).json()["code"] == "body_too_large"
    assert sender.upload(made["id"], fine + "b,x\nc,x\n").json()["message"].startswith("At most 2 targets.")
    assert sender.upload(made["id"], fine, "image/png").status_code == 415
    assert sender.upload(made["id"], "--X--", "multipart/form-data; boundary=X").status_code == 400
    assert sender.upload(made["id"], fine, HTTP_CONTENT_ENCODING="gzip").status_code == 415
    assert sender.shown(made["id"])["total"] == 0
    few = Sender(sender.tenant, client_of(sender.tenant, [Scope.RUNS_WRITE, Scope.RUNS_READ]))
    told = few.upload(made["id"], "subject,data.headline,recipient.zone\na,x,UTC\n")
    assert (told.status_code, told.json()["code"]) == (403, "missing_scope")
    assert sender.shown(made["id"])["total"] == 0
    assert sender.upload(made["id"], fine).status_code == 200
    listed = sender.make(subjects=["ada"], data={"headline": "x"})
    assert sender.upload(listed["id"], fine).json()["code"] == "broadcast_not_draft"


def test_the_same_upload_under_a_key_is_carried_out_once(sender: Sender) -> None:
    made = sender.make()
    file = "subject,data.headline\nada,x\n"

    first = sender.upload(made["id"], file, HTTP_IDEMPOTENCY_KEY="u1")
    token = sender.preview(made["id"])["token"]
    again = sender.upload(made["id"], file, HTTP_IDEMPOTENCY_KEY="u1")
    other = sender.upload(made["id"], file + "bob,y\n", HTTP_IDEMPOTENCY_KEY="u1")
    started = sender.rest.post(f"/v1/broadcasts/{made['id']}/start", {"token": token})

    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert other.json()["code"] == "idempotency_key_reused"
    assert started.status_code == 202


def test_a_new_file_needs_a_new_look(sender: Sender) -> None:
    made = sender.make()
    sender.upload(made["id"], "subject,data.headline\nada,x\n")
    token = sender.preview(made["id"])["token"]
    sender.upload(made["id"], "subject,data.headline\nbob,x\n")

    answer = sender.rest.post(f"/v1/broadcasts/{made['id']}/start", {"token": token})

    assert (answer.status_code, answer.json()["code"]) == (409, "preview_changed")


def test_the_report_is_safe_in_a_spreadsheet(sender: Sender) -> None:
    made = sender.make(subjects=["=1+1", "ada", "＝2", "ada"], data={"headline": "x"})
    sender.start(made["id"])
    sender.go_on()

    answer = sender.rest.get(f"/v1/broadcasts/{made['id']}/report")
    lines = list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))

    assert lines[0] == ["position", "subject", "outcome", "reason", "run_id"]
    assert [(line[0], line[1]) for line in lines[1:]] == [("1", "'=1+1"), ("2", "ada"), ("3", "'＝2"), ("4", "ada")]
    assert lines[4][2:] == ["skipped", "duplicate", ""]
    assert [defused(one) for one in (" =x", "-1", "+1", "\tx", "x=1")] == ["' =x", "'-1", "'+1", "'\tx", "x=1"]
