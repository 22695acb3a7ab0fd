"""From a JSON body to runs to start. By hand, because a body may name a thousand; `run_asking` shows the shape."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chimeway_py.api.json_gate import pointer
from chimeway_py.errors import Invalid, fault
from signals_app.instants import read_instant
from workflows.services.companions import companions
from workflows.services.start import NewRun, OnDuplicate
from workflows.states import Cause

MOST_RUNS = 1000
RUN: dict[str, tuple[type, str]] = {
    "subject": (str, "text"),
    "correlation": (dict, "an object"),
    "data": (dict, "an object"),
    "idempotency_key": (str, "text"),
    "at": (str, "text"),
}
WHOLE: dict[str, tuple[type, str]] = {
    **RUN,
    "workflow": (str, "text"),
    "version": (int, "a whole number"),
    "on_duplicate": (str, "text"),
    "subjects": (list, "a list"),
    "runs": (list, "a list"),
}
WHOM = ("subject", "subjects", "runs")
Faults = Iterator[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Start:
    """What a body asks for. `path` turns the path of a fault, which starts with the index of a run, into one of it."""

    workflow: str
    version: int | None
    runs: list[NewRun]
    path: Callable[[str], str]
    on_duplicate: OnDuplicate = "return"

    def refusal(self, error: Invalid) -> Invalid:
        """The same faults, each once, with paths into the body."""
        found = [] if isinstance(error.detail, Mapping) else error.detail
        told = {(one["code"], path := self.path(one["path"])): {**one, "path": path} for one in found}
        return Invalid(error.message, list(told.values()))


def read_start(body: Mapping[str, Any], caller: str) -> Start:
    """The start that a body asks for, on behalf of the API key `caller`. Raises `Invalid` naming every fault."""
    faults = [*_member_faults(body, WHOLE | _of_run(), ""), *_whole_faults(body)]
    if not faults:
        faults = [*_list_faults(body)]
    if faults:
        raise Invalid("The start is not valid.", faults)
    whom = next(name for name in WHOM if name in body)
    items, path = _READERS[whom](body)
    runs = [_new_run(item, caller) for item in items]
    return Start(body["workflow"], body.get("version"), runs, path, body.get("on_duplicate", "return"))


def _new_run(item: Mapping[str, Any], caller: str) -> NewRun:
    beside = {name: item[name] for name in companions() if name in item}
    own = {name: value for name, value in item.items() if name not in beside}
    at = read_instant(item.get("at"))
    return NewRun(**{**own, "at": at}, companions=beside, cause=Cause.API, cause_ref=caller)


def _of_subject(body: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Callable[[str], str]]:
    return [_shared(body) | {"subject": body["subject"]}], lambda path: path.removeprefix("/0")


def _of_subjects(body: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Callable[[str], str]]:
    """One run each; a key given for all is told apart by the subject."""
    shared, key = _shared(body), body.get("idempotency_key")
    keys = [{"idempotency_key": f"{key}:{subject}"} if key else {} for subject in body["subjects"]]
    items = [shared | own | {"subject": subject} for subject, own in zip(body["subjects"], keys, strict=True)]

    def path(found: str) -> str:
        _, index, rest = found.split("/", 2)
        return f"/subjects/{index}" if rest == "subject" else f"/{rest}"

    return items, path


def _of_runs(body: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Callable[[str], str]]:
    return list(body["runs"]), lambda path: f"/runs{path}"


_READERS = {"subject": _of_subject, "subjects": _of_subjects, "runs": _of_runs}


def _shared(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in _of_run() if name in body}


def _of_run() -> dict[str, tuple[type, str]]:
    """What one run may say of itself, with the companions that other apps registered."""
    return RUN | dict.fromkeys(companions(), (dict, "an object"))


def _whole_faults(body: Mapping[str, Any]) -> Faults:
    if "workflow" not in body:
        yield fault("/workflow", "missing", "The key of a definition.")
    if isinstance(body.get("version"), int) and not 1 <= body["version"] < 2**31:
        yield fault("/version", "bad_version", "A version counts from 1.")
    if body.get("on_duplicate", "return") not in ("return", "skip"):
        yield fault("/on_duplicate", "unknown", "Either return or skip.")
    given = [name for name in WHOM if name in body]
    if len(given) != 1:
        code = "conflict" if given else "missing"
        yield fault(f"/{given[1]}" if given else "/subject", code, "Give either `subject`, `subjects` or `runs`.")
    if given == ["runs"]:
        for name in _of_run():
            if name in body:
                yield fault(f"/{name}", "conflict", "With `runs`, each run has its own.")

    if given == ["subjects"]:
        for name in companions():
            if name in body:
                yield fault(f"/{name}", "conflict", "Of several subjects, each has its own: give `runs`.")


def _list_faults(body: Mapping[str, Any]) -> Faults:
    """Faults inside `subjects` or `runs`."""
    for name in ("subjects", "runs"):
        items = body.get(name, [None])
        if not 1 <= len(items) <= MOST_RUNS:
            yield fault(f"/{name}", "bad_length", f"A list of 1 to {MOST_RUNS}.")
            return
    for index, subject in enumerate(body.get("subjects", ())):
        if not isinstance(subject, str):
            yield fault(f"/subjects/{index}", "bad_type", "Must be text.")
    for index, run in enumerate(body.get("runs", ())):
        if not isinstance(run, dict):
            yield fault(f"/runs/{index}", "bad_type", "Must be an object.")
            continue
        yield from _member_faults(run, _of_run(), f"/runs/{index}")
        if "subject" not in run:
            yield fault(f"/runs/{index}/subject", "missing", "Whom the run is about.")


def _member_faults(item: Mapping[str, Any], members: Mapping[str, tuple[type, str]], path: str) -> Faults:
    for name, value in item.items():
        if name not in members:
            yield fault(pointer(path, name), "unknown_key", "No such member.")
        elif not isinstance(value, members[name][0]) or isinstance(value, bool):
            yield fault(f"{path}/{name}", "bad_type", f"Must be {members[name][1]}.")
        elif name == "at" and read_instant(value) is None:
            yield fault(f"{path}/at", "bad_time", "An instant with an offset, such as 2026-11-20T09:30:00Z.")
