import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.definitions.documents import GRACE, LAST, TELL, branch, document, json_values, wait
from workflows.definitions.errors import InvalidDefinition
from workflows.definitions.validate import MOST_FAULTS, require_valid, validate
from workflows.steps.registry import kinds

PAID = {"name": "invoice.paid"}
TOO_LONG = "a" * 65
SIGNALS_EVER = wait(**{"for": None}, signals=[PAID])


def found(raw: Any) -> list[tuple[str, str]]:
    return [(one["path"], one["code"]) for one in validate(raw)]


@pytest.mark.parametrize(
    "raw",
    [
        document(),
        document(start_on=None, correlation=["invoice_id"]),
        document(deadline="P30D", name="Dunning", description="…", data_schema={"type": "object"}),
        document(SIGNALS_EVER),
        document(wait(**{"for": None}, until={"instant": "2027-01-31T09:00:00+01:00"})),
        document(wait(**{"for": None}, until={"instant": "data.due_at"})),
        document(
            wait(**{"for": None}, until={"local_time": "09:00", "weekday": ["mon", "fri"], "zone": "Asia/Kolkata"})
        ),
        document(wait(**{"for": None}, until={"local_time": "23:59", "zone": "data.zone"})),
        document(wait(signals=[PAID], look_back="none", on_timeout={"stop": "too_late"})),
        document(wait(signals=[PAID | {"match": {"a": {"const": "x"}, "b": "run.id"}}], look_back="P1D")),
        document(wait(signals=[PAID | {"when": {"path": "signal.data.amount", "gte": 10}}])),
        document(branch({"path": "data.amount", "gt": 1}), LAST),
        # a loop is fine as long as a run rests in it
        document(TELL, wait(on_timeout={"goto": "tell"}, signals=[PAID | {"then": "complete"}])),
        document(TELL, wait(**{"for": None}, until={"local_time": "09:00"}, on_timeout={"goto": "tell"})),
    ],
)
def test_good_documents_have_no_faults(raw: dict[str, Any]) -> None:
    assert found(raw) == []


@pytest.mark.parametrize(
    ("raw", "path", "code"),
    [
        # the top level
        (None, "", "type"),
        ([], "", "type"),
        ("key: x", "", "type"),
        (document(key=None), "/key", "required"),
        (document(steps=None), "/steps", "required"),
        (document(steps=[]), "/steps", "size"),
        (document(steps={}), "/steps", "type"),
        (document(colour="red"), "/colour", "unknown_key"),
        (document(**{"a/b~c": 1}), "/a~1b~0c", "unknown_key"),
        (document(key=3), "/key", "type"),
        (document(key="schema"), "/key", "reserved"),
        (document(name="x" * 201), "/name", "size"),
        # names: only ASCII, whole, no newline at the end
        *(
            (document(key=name), "/key", "pattern")
            for name in ("", "Dunning", "a.b", "dunning\n", "dunnіng", "ａ", TOO_LONG)
        ),
        *(
            (document(TELL | {"key": name}), "/steps/0/key", "pattern")
            for name in ("tell\n", "tеll", "t\u200bell", "\u202etell")
        ),
        (document(start_on={"signal": "invoice.failed\n", "subject": "data.a"}), "/start_on/signal", "pattern"),
        (document(start_on={"signal": "a..b", "subject": "data.a"}), "/start_on/signal", "pattern"),
        # times
        (document(deadline="P1M"), "/deadline", "duration"),
        (document(deadline="PT0S"), "/deadline", "duration"),
        (document(deadline=30), "/deadline", "type"),
        # the start
        (document(start_on={"signal": "a.b"}), "/start_on/subject", "required"),
        (document(start_on={"signal": "a.b", "subject": "customer"}), "/start_on/subject", "pattern"),
        (document(TELL, start_on={"signal": "a.b", "subject": "run.subject"}), "/start_on/subject", "path"),
        (
            document(start_on={"signal": "a.b", "subject": "data.a", "correlate": {"invoice_id": "run.id"}}),
            "/start_on/correlate/invoice_id",
            "path",
        ),
        (
            document(
                start_on={"signal": "a.b", "subject": "data.a", "when": {"path": "run.id", "eq": 1}}, steps=[TELL]
            ),
            "/start_on/when/path",
            "path",
        ),
        (document(correlation=["a", "a"]), "/correlation", "duplicate"),
        (document(correlation=[*"abcdefghi"]), "/correlation", "size"),
        (document(correlation=["Invoice"]), "/correlation/0", "pattern"),
        # data_schema
        (document(data_schema=[]), "/data_schema", "type"),
        (document(data_schema={"type": "text"}), "/data_schema/type", "data_schema"),
        (
            document(data_schema={"properties": {"a": {"pattern": "(a+)+$"}}, "additionalProperties": True}),
            "/data_schema/properties/a/pattern",
            "data_schema",
        ),
        (document(data_schema={"$ref": "http://169.254.169.254/"}), "/data_schema/$ref", "data_schema"),
        (document(data_schema={"allOf": [{"$ref": "#"}]}), "/data_schema/allOf/0/$ref", "data_schema"),
        # templates
        (document(templates={"hello": {"title": "x"}}), "/templates/hello/text", "required"),
        (document(templates={"hello": {"text": "x", "body": "y"}}), "/templates/hello/body", "unknown_key"),
        (document(templates={"Hello": {"text": "x"}, "hello": {"text": "x"}}), "/templates/Hello", "pattern"),
        # steps
        (document(3), "/steps/0", "type"),  # type: ignore[arg-type]
        (document({"key": "a"}), "/steps/0/kind", "required"),
        (document({"key": "a", "kind": "deliverr"}), "/steps/0/kind", "choice"),
        (document(TELL, TELL), "/steps/1/key", "duplicate_key"),
        (document(TELL | {"chanel": "x"}), "/steps/0/chanel", "unknown_key"),
        (document(TELL | {"on_outcome": {"bouncd": "next"}}), "/steps/0/on_outcome/bouncd", "unknown_key"),
        (document(wait() | {"on_outcome": {}}), "/steps/0/on_outcome", "unknown_key"),
        # the graph
        (
            document(TELL | {"on_outcome": {"bounced": {"goto": "lost"}}}),
            "/steps/0/on_outcome/bounced/goto",
            "unknown_target",
        ),
        (document(wait(on_timeout={"goto": "lost"})), "/steps/0/on_timeout/goto", "unknown_target"),
        (document(wait(signals=[PAID | {"then": {"goto": "x"}}])), "/steps/0/signals/0/then/goto", "unknown_target"),
        (document(wait(on_timeout="complete"), LAST), "/steps/1", "unreachable"),
        (document(SIGNALS_EVER | {"signals": [PAID | {"then": "complete"}]}, LAST), "/steps/1", "unreachable"),
        (document(TELL | {"on_outcome": {"bounced": {"goto": "tell"}}}), "/steps/0", "cycle"),
        (document(TELL, LAST | {"on_outcome": {"bounced": {"goto": "tell"}}}), "/steps/0", "cycle"),
        # an instant passes once: a loop through it would spin afterwards
        (
            document(wait(**{"for": None}, until={"instant": "data.at"}, on_timeout={"goto": "grace"})),
            "/steps/0",
            "cycle",
        ),
        # wait
        (document(wait(**{"for": None})), "/steps/0", "endless_wait"),
        (document(wait(until={"instant": "data.at"})), "/steps/0/until", "conflict"),
        (document(wait(**{"for": "2 days"})), "/steps/0/for", "duration"),
        (document(wait(**{"for": "PT0S"})), "/steps/0/for", "duration"),
        (document(wait(**{"for": None}, until={})), "/steps/0/until", "shape"),
        (
            document(wait(**{"for": None}, until={"instant": "2027-01-31T09:00:00"})),
            "/steps/0/until/instant",
            "instant",
        ),
        (document(wait(**{"for": None}, until={"instant": "signal.data.at"})), "/steps/0/until/instant", "instant"),
        (document(wait(**{"for": None}, until={"local_time": "9:00"})), "/steps/0/until/local_time", "pattern"),
        (document(wait(**{"for": None}, until={"local_time": "24:00"})), "/steps/0/until/local_time", "pattern"),
        (
            document(wait(**{"for": None}, until={"local_time": "09:00", "weekday": "monday"})),
            "/steps/0/until/weekday",
            "shape",
        ),
        *(
            (
                document(wait(**{"for": None}, until={"local_time": "09:00", "zone": zone})),
                "/steps/0/until/zone",
                "time_zone",
            )
            for zone in ("Europe/Nowhere", "../../etc/passwd", "Europe", "run.zone", "CET+99", "")
        ),
        (document(SIGNALS_EVER | {"on_timeout": "next"}), "/steps/0/on_timeout", "no_timer"),
        (document(wait(look_back="none")), "/steps/0/look_back", "no_signals"),
        (document(wait(look_back="always", signals=[PAID])), "/steps/0/look_back", "shape"),
        (document(wait(on_timeout="stop")), "/steps/0/on_timeout", "shape"),
        (document(wait(signals=[{}])), "/steps/0/signals/0/name", "required"),
        (document(wait(signals=[PAID | {"name": "Invoice.Paid"}])), "/steps/0/signals/0/name", "pattern"),
        (document(wait(signals=[PAID | {"match": {"a": "data.a"}}])), "/steps/0/signals/0/match/a", "shape"),
        (document(wait(signals=[PAID | {"match": {"A": "run.id"}}])), "/steps/0/signals/0/match/A", "pattern"),
        (
            document(wait(signals=[PAID | {"match": {"order_id": "run.correlation.order_id"}}])),
            "/steps/0/signals/0/match/order_id",
            "undeclared_correlation",
        ),
        (
            document(wait(signals=[PAID | {"when": {"path": "run.correlation.order_id", "eq": "1"}}])),
            "/steps/0/signals/0/when/path",
            "path",
        ),
        # branch
        (document(branch()), "/steps/0/when", "size"),
        (document(branch({"path": "data.a", "like": "x"})), "/steps/0/when/0/if", "operator"),
        (document(branch({"path": "signal.data.a", "eq": 1})), "/steps/0/when/0/if/path", "path"),
        (
            document(branch({"path": "data.a", "eq": 1}) | {"else": {"goto": "x"}}),
            "/steps/0/else/goto",
            "unknown_target",
        ),
        (document({"key": "fork", "kind": "branch", "when": [{"if": {}}]}), "/steps/0/when/0/then", "required"),
    ],
)
def test_one_fault_is_found_at_its_place(raw: Any, path: str, code: str) -> None:
    assert found(raw) == [(path, code)]


def test_all_faults_are_told_at_once() -> None:
    raw = document(TELL | {"on_outcome": {"bounced": {"goto": "x"}}}, wait(**{"for": "P1M"}), TELL, deadline="soon")
    raw["colour"] = "red"

    places = {"/colour", "/deadline", "/steps/0/on_outcome/bounced/goto", "/steps/1/for", "/steps/2/key"}
    assert {path for path, _ in found(raw)} == places


def test_a_target_cannot_be_judged_while_a_key_cannot_be_read() -> None:
    raw = document(TELL | {"on_outcome": {"bounced": {"goto": "x"}}}, wait(key=7))

    assert {path for path, _ in found(raw)} == {"/steps/1/key"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (document(start_onn={}), "There is no key `start_onn` here. Did you mean 'start_on'?"),
        (
            document(TELL | {"kind": "delivr"}),
            f"`kind` must be one of {', '.join(sorted(kinds()))}. Did you mean 'deliver'?",
        ),
        (document(wait(on_timeout={"goto": "grase"})), "There is no step 'grase'. Did you mean 'grace'?"),
        (document(TELL | {"irreversible": "yes"}), "`irreversible` must be true or false, not a text."),
        (document(key=3), "`key` must be 1 to 64 of the letters a-z, digits and _."),
        (
            document(wait(signals=[PAID | {"name": "Invoice Paid"}])),
            "`name` must be a name such as invoice.paid: a-z, 0-9 and _, dots between its parts, "
            "at most 100 characters.",
        ),
        (
            document(wait(on_timeout="stop")),
            "`on_timeout` must be next, complete, {goto: <step key>} or {stop: <reason>}.",
        ),
        (
            document(TELL, LAST | {"on_outcome": {"bounced": {"goto": "tell"}}}),
            "The loop tell → last → tell never rests; put a wait into it.",
        ),
        (
            document(deadline="P1M"),
            "`deadline` is not valid: Years and months differ in length; write the duration in weeks or days, "
            "for example P30D.",
        ),
    ],
)
def test_the_sentence_names_the_field_and_the_fix(raw: Any, message: str) -> None:
    assert message in [one["message"] for one in validate(raw)]


def test_ten_thousand_steps_are_refused_at_once() -> None:
    raw = document(*({**wait(), "key": f"s{n}"} for n in range(10_000)))
    began = time.thread_time()

    assert found(raw) == [("/steps", "size")]
    assert time.thread_time() - began < 0.05


def test_the_largest_definition_is_judged_in_time() -> None:
    signals = [
        PAID | {"match": {"invoice_id": "run.correlation.invoice_id"}, "then": {"goto": f"s{n}"}} for n in range(20)
    ]
    raw = document(*(wait(signals=signals) | {"key": f"s{n}"} for n in range(200)))
    began = time.thread_time()

    assert found(raw) == []
    assert time.thread_time() - began < 5


def test_faults_are_capped() -> None:
    assert (
        len(validate(document(*({"key": f"s{n}", "kind": "wait", "a": 1, "b": 2} for n in range(200))))) == MOST_FAULTS
    )


def test_requiring_a_valid_document_raises_every_fault() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        require_valid(document(wait(**{"for": "P1M"}), colour="red"))

    assert refused.value.message == "The definition has 2 faults."
    assert {one["path"] for one in refused.value.detail} == {"/steps/0/for", "/colour"}  # type: ignore[index]


@given(json_values)
def test_anything_is_judged_without_an_exception(raw: Any) -> None:
    assert validate(raw)


KEYS = [
    "key",
    "kind",
    "for",
    "until",
    "signals",
    "when",
    "else",
    "on_timeout",
    "look_back",
    "channel",
    "template",
    "match",
]
words = st.sampled_from(
    ["wait", "branch", "deliver", "P1D", "next", "complete", "data.a", "run.id", "in_app", "a", "hello"]
)
almost = st.recursive(
    words | st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "goto", "stop", "all"]), inner),
    max_leaves=12,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(KEYS), almost).map(lambda step: {"key": "a", "kind": "wait"} | step), max_size=4
    ),
    st.dictionaries(st.sampled_from(["start_on", "correlation", "deadline", "data_schema", "templates"]), almost),
)
def test_what_is_almost_a_definition_is_judged_without_an_exception(steps: Any, top: Any) -> None:
    for one in validate(document(**(top | {"steps": steps}))):
        assert one["message"][-1] in ".?"


def test_changing_any_leaf_never_breaks_the_judge() -> None:
    whole = document(TELL, GRACE | {"until": {"instant": "data.x"}}, branch({"path": "data.a", "eq": 1}), LAST)

    def places(value: Any) -> Any:
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in children:
            yield value, key
            yield from places(child)

    for parent, key in list(places(whole)):
        kept = parent[key]
        for other in (None, 3, "x", [], {}, [None], {"a": None}):
            parent[key] = other
            validate(whole)
        parent[key] = kept
