"""Explanations: where a run stands and why, and what became of a signal. REST, admin and command line share them."""

from workflows.explain.explanation import Explanation, plain
from workflows.explain.run import explain_run
from workflows.explain.signal import SignalExplanation, explain_signal

__all__ = ["Explanation", "SignalExplanation", "explain_run", "explain_signal", "plain"]
