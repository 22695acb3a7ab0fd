"""What `bin/prove --figures` keeps of a run: what was measured, and what must be zero, in a line."""

from tests.faults.checker import Verdict
from tests.faults.report import Report


def test_the_figures_are_those_of_the_report() -> None:
    verdict = Verdict(lost=["a start"], repeated=3)
    report = Report("s", 7, {200: 7}, {"processes": 2}, {}, [], ["31.3 runs a second"], verdict, ["a note"], 1.0, 0.0)

    figures, lines = list(report.figures()), list(report.lines())

    assert [line for line in figures if line not in lines] == []
    assert {"seed          s", "  31.3 runs a second", "  a note"} <= {*figures}
    assert "  a start" in lines
    assert "  a start" not in figures
    assert report.summary() == (
        "lost 1, doubled 0, stuck 0, violations 0, not tried 0; "
        "repeated 3 messages, under the same key, as attempts of unknown end tell"
    )
