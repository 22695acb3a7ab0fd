"""Random definitions of a few steps of every kind, none of which takes more than one line to read."""

import copy
from typing import Any

import hypothesis.strategies as st
from hypothesis import assume

from workflows.definitions.validate import validate

SIGNALS = ("a", "b", "c")
KEYS = ("s0", "s1", "s2", "s3", "s4")
JOB = "job"
Strategy = st.SearchStrategy[dict[str, Any]]

# 110 to 132 minutes with its jitter: never at a moment to which the machine moves the clock
_RETRY = {
    "retry": st.sampled_from([2, 3]).map(
        lambda most: {"max_attempts": most, "backoff": "none", "initial": "PT1H50M", "max": "PT3H"}
    )
}
_ONCE = {"at_most_once": st.just(True)}
_UNDO = st.one_of(
    st.just({"kind": "deliver", "channel": "in_app", "template": "hello"}),
    st.fixed_dictionaries(
        {"kind": st.just("http"), "url": st.just("https://example.org/undo"), **_RETRY},
        optional=_ONCE | {"unsure": st.just("settle")},
    ),
)
_RESTING = {"for": st.sampled_from(["PT1H", "P1D"])}
_LOOK_BACKS = st.sampled_from(["since_run_start", "since_run_start", "since_step", "none", "PT1H"])


def _targets(keys: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Where a step may lead; mostly on, so that most documents have no unreachable step."""
    ends = st.sampled_from(
        ["next", "next", "next", "complete", {"stop": "enough"}, {"stop": "enough", "compensate": True}]
    )
    return ends | st.sampled_from(keys).map(lambda key: {"goto": key}) if keys else ends


def _outcomes(words: tuple[str, ...], ahead: tuple[str, ...]) -> Strategy:
    return st.dictionaries(st.sampled_from(words), _targets(ahead), min_size=1, max_size=2)


def _signals(anywhere: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    rule = st.fixed_dictionaries(
        {"name": st.sampled_from(SIGNALS)},
        optional={
            "match": st.just({"k": "run.correlation.k"}),
            "when": st.just({"path": "signal.data.v", "gte": 5}),
            "then": anywhere,
        },
    )
    return st.lists(rule, min_size=1, max_size=3)


def _branches(ahead: tuple[str, ...]) -> Strategy:
    path = st.sampled_from(["data.n", "data.reply.n", "steps.s0.count"])
    arm = st.fixed_dictionaries(
        {"if": st.fixed_dictionaries({"path": path, "gte": st.integers(1, 9)}), "then": _targets(ahead)}
    )
    return st.fixed_dictionaries(
        {"kind": st.just("branch"), "when": st.lists(arm, min_size=1, max_size=2)}, optional={"else": _targets(ahead)}
    )


def _waits(ahead: tuple[str, ...]) -> Strategy:
    anywhere = _targets(KEYS[:2] + ahead)  # a wait may lead back
    waiting = {"kind": st.just("wait"), "signals": _signals(anywhere), "look_back": _LOOK_BACKS}
    endless = st.fixed_dictionaries(waiting)
    timed = st.fixed_dictionaries(waiting | _RESTING, optional={"on_timeout": anywhere})
    timer = st.fixed_dictionaries({"kind": st.just("wait")} | _RESTING, optional={"on_timeout": anywhere})
    return st.one_of(timed, timed, timer, endless)


def _approvals(ahead: tuple[str, ...]) -> Strategy:
    anywhere = _targets(KEYS[:2] + ahead)
    asked = {"kind": st.just("approval"), "for": st.just("P1D")}
    routes = dict.fromkeys(("on_approve", "on_reject", "on_timeout"), anywhere)
    more = {"signals": _signals(anywhere), "remind_after": st.just("PT2H"), "actors": st.just(["ada"])}
    return st.fixed_dictionaries(asked, optional=routes | more)


def _deliveries(ahead: tuple[str, ...]) -> Strategy:
    step = {"kind": st.just("deliver"), "template": st.just("hello")}
    in_app = st.fixed_dictionaries(
        step | {"channel": st.just("in_app")}, optional={"on_outcome": _outcomes(("bounced",), ahead)}
    )
    words = ("temporary_failure", "retries_exhausted", "permanent_failure", "unknown")
    email = st.fixed_dictionaries(
        step | _RETRY | {"channel": st.just("email")}, optional=_ONCE | {"on_outcome": _outcomes(words, ahead)}
    )
    return st.one_of(in_app, email)


def _calls(ahead: tuple[str, ...]) -> Strategy:
    words = ("temporary_failure", "retries_exhausted", "permanent_failure", "unknown")
    step = {"kind": st.just("http"), "url": st.just("https://example.org/"), **_RETRY}
    more = {"answer": st.just("reply"), "on_outcome": _outcomes(words, ahead)}
    return st.fixed_dictionaries(step, optional=_ONCE | more)


def _externals(ahead: tuple[str, ...]) -> Strategy:
    step = {"kind": st.just("external"), "of": st.just(JOB), "id": st.just("run.correlation.job")}
    words = ("succeeded", "failed", "timed_out", "permanent_failure")
    more = {"timeout": st.just("PT2H"), "answer": st.just("reply"), "on_outcome": _outcomes(words, ahead)}
    return st.fixed_dictionaries(step, optional=more)


def _throttles(ahead: tuple[str, ...]) -> Strategy:
    step = {
        "kind": st.just("throttle"),
        "window": st.sampled_from(["PT1H", "PT2H", "P1D"]),
        "threshold": st.sampled_from([1, 1, 2]),
    }
    ways = {"on_limit": st.just("delay") | st.just("delay") | _targets(ahead)}
    more = ways | {"across_subjects": st.just(True), "on_outcome": _outcomes(("passed",), ahead)}
    plain = st.fixed_dictionaries(step, optional=more)
    by = {"by": st.sampled_from(["run.correlation.k", "data.reply.n"])}
    named = st.fixed_dictionaries(step | by, optional=more | {"missing_key": st.sampled_from(["open", "closed"])})
    return st.one_of(plain, named)


def _digests(ahead: tuple[str, ...]) -> Strategy:
    windows: list[dict[str, Any]] = [
        {"fixed": "PT1H"},
        {"fixed": "P1D"},
        {"sliding": {"quiet": "PT1H", "at_most": "PT2H"}},
    ]
    step = {"kind": st.just("digest"), "window": st.sampled_from(windows)}
    words = ("collected", "digested", "removed", "sent_first")
    more = {
        "max_items": st.sampled_from([2, 3]),
        "show": st.sampled_from([1, 2]),
        "item": st.just("data.n"),
        "on_outcome": _outcomes(words, ahead),
    }
    by = {"by": st.sampled_from(["run.correlation.k", "run.correlation.k", "data.reply.n"])}
    rests = st.fixed_dictionaries(step, optional=more | {"on_outcome": _outcomes(words, KEYS[:2] + ahead)})
    first = st.fixed_dictionaries(step | {"flush_first": st.just(True)}, optional=more)
    named = st.fixed_dictionaries(step | by, optional=more | {"across_subjects": st.just(True)})
    return st.one_of(rests, rests, rests, first, named)


_ANY = (_waits, _waits, _approvals, _branches, _deliveries, _deliveries, _calls, _externals, _throttles, _digests)
_WORKING = (_deliveries, _deliveries, _deliveries, _calls, _externals, _throttles, _digests)
ONE_OF_EACH = st.tuples(*(steps(KEYS[1:]) for steps in dict.fromkeys((*_ANY, *_WORKING))))
"""A step of every kind that these documents are made of."""


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid definition of one to five steps. Every other one does things that can be undone, and then rests.

    Of some the first step collects, so that several runs meet there.
    """
    works, collects = draw(st.sampled_from([True, False])), draw(st.sampled_from([True, False, False]))
    keys = KEYS[: draw(st.integers(3 if works else 1, len(KEYS)))]
    steps = []
    for position, key in enumerate(keys):
        ahead = keys[position + 1 :]
        kinds = (_WORKING if ahead else (_waits,)) if works else _ANY
        kinds = (_digests,) if collects and not position else kinds
        step = {"key": key, **draw(st.one_of(*(kind(ahead) for kind in kinds)))}
        if step["kind"] in ("deliver", "http", "external") and (works or draw(st.booleans())):
            step["compensate"] = draw(_UNDO)
        steps.append(step)
    document = {
        "key": "random",
        "correlation": ["k", "job"],
        "templates": {"hello": {"title": "Hello", "subject": "Hello", "text": "Hello"}},
        "steps": steps,
        **draw(st.sampled_from([{}, {"deadline": "P2D"}])),
    }
    assume(not validate(document))
    return document


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A definition, and another version of it in which one step that rests says something else."""
    first = draw(documents())
    second = copy.deepcopy(first) | {"description": "another version"}
    resting = [step for step in second["steps"] if step["kind"] in ("wait", "approval")]
    if resting:
        step = draw(st.sampled_from(resting))
        if step["kind"] == "wait" and "for" in step:
            step["for"] = "PT1H" if step["for"] == "P1D" else "P1D"
        for rule in step.get("signals", ()) if draw(st.booleans()) else ():
            rule["name"] = SIGNALS[SIGNALS.index(rule["name"]) - 1]
    assume(not validate(second))
    return first, second
