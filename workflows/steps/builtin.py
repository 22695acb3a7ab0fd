"""The step kinds that come with the engine."""

from workflows.steps.approval import Approval
from workflows.steps.branch import Branch
from workflows.steps.digest import DigestStep
from workflows.steps.external import ExternalStep
from workflows.steps.http import HttpStep
from workflows.steps.registry import register
from workflows.steps.throttle import ThrottleStep
from workflows.steps.wait import Wait


def register_all() -> None:
    """Register wait, approval, branch, http, external, digest and throttle."""
    for kind in (Wait(), Approval(), Branch(), HttpStep(), ExternalStep(), DigestStep(), ThrottleStep()):
        register(kind)
