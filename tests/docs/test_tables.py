"""Tables of the pages agree with the code."""

import re

import pytest

from tests.docs import tables
from tests.docs.codes import refusals, settings_of
from tests.docs.pages import PAGES, ROOT, code, page, rows_under


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_made_from_the_code_are_up_to_date(page) -> None:  # type: ignore[no-untyped-def]
    text = page.read_text()

    assert tables.rewritten(text) == text, "run: python -m tests.docs.tables"


def test_every_table_that_is_made_is_shown() -> None:
    shown = {name for page in PAGES for name in tables.names_in(page.read_text())}

    assert shown == set(tables.TABLES)


def test_every_state_is_described() -> None:
    from workflows.states import RunState

    rows = rows_under(page("lifecycle.md"), "The life of a run")
    assert [code(row[0]) for row in rows] == list(RunState)


def test_the_diagram_shows_only_moves_that_are_allowed() -> None:
    from workflows.states import MOVES

    drawn = re.findall(r"^    (\w+|\[\*\]) --> (\w+)", page("lifecycle.md").read_text(), re.MULTILINE)

    assert drawn
    assert [f"{start} → {end}" for start, end in drawn if end not in MOVES["" if start == "[*]" else start]] == []


def test_every_verdict_is_described() -> None:
    from signals_app.verdicts import Verdict

    assert [code(row[0]) for row in rows_under(page("signals.md"), "Verdicts")] == list(Verdict)


def test_every_scope_is_described() -> None:
    from tenants.models.api_key import Scope

    scopes = [
        scope for row in rows_under(page("api.md"), "Whose key is this") for scope in re.findall("`(.+?)`", row[0])
    ]
    assert sorted(scopes) == sorted(Scope.values)


def test_every_cause_is_in_the_glossary() -> None:
    from workflows.states import Cause

    line = next(line for line in page("glossary.md").read_text().splitlines() if line.startswith("| **cause**"))
    assert set(re.findall("`(.+?)`", line)) == set(Cause)


def test_every_member_of_an_explanation_is_described() -> None:
    from workflows.explain.explanation import Explanation

    described = [name for row in rows_under(page("explain.md"), "A run") for name in re.findall("`(.+?)`", row[0])]
    assert described == list(Explanation.__dataclass_fields__)


def test_every_setting_is_described_and_no_other() -> None:
    described = [code(row[0]) for row in rows_under(page("deploy.md"), "Settings")]

    assert sorted(described) == sorted(settings_of())


def test_the_defaults_of_settings_are_those_of_the_code() -> None:
    """Where a default is a plain value; the others are told in words."""
    wrong = []
    for name, default, _ in rows_under(page("deploy.md"), "Settings"):
        value = settings_of()[code(name)]
        words = {"''": ("empty", "none"), "[]": ("empty", "none")}.get(value)
        plain = re.fullmatch(r"'([^']+)'|[\d.]+|True|False", value)
        if (words and default not in words) or (plain and code(default) != (plain[1] or value)):
            wrong.append(f"{name}: {default} in the page, {value} in the settings")
    assert wrong == []


def test_every_number_of_the_home_is_explained() -> None:
    from django.contrib import admin

    from chimeway_py.admin_site import readings
    from tenants.scope import scope_of

    admin.autodiscover()
    with scope_of([]):
        labels = [reading.concern.label for reading in readings()]
    explained = [row[0] for row in rows_under(page("operations.md"), "When a number is not zero")]
    assert sorted(explained) == sorted(labels)


def test_every_gauge_is_explained() -> None:
    from chimeway_py.metrics import GAUGES

    rows = rows_under(page("operations.md"), "The same numbers for your monitoring")
    assert {code(row[0]) for row in rows} == {name for name, _, _ in GAUGES.values()} | {"chimeway_database_up"}


def test_every_role_is_explained() -> None:
    from tenants.models import Role

    rows = rows_under(page("operations.md"), "Tenants, keys and operators")
    assert [code(row[0]) for row in rows] == list(Role)


def test_codes_of_refusals_named_anywhere_exist() -> None:
    """In the pages that tell senders what to do about them."""
    known = set(refusals())
    named = {name for row in rows_under(page("signals.md"), "Answers") for name in re.findall("`(.+?)`", row[1])}

    assert named <= known


def test_the_statuses_of_the_answers_are_those_of_the_codes() -> None:
    wrong = []
    for status, codes, _ in rows_under(page("signals.md"), "Answers"):
        wrong += [name for name in re.findall("`(.+?)`", codes) if str(refusals()[name][0]) != status]
    assert wrong == []
