"""Settings that make one process die at a certain line, or mistake the time: `shim/sitecustomize.py` reads them."""

from collections.abc import Mapping
from pathlib import Path

SHIM = Path(__file__).with_name("shim")

# Where a death is most awkward, each at the first call of the process that comes there.
BEFORE_PERFORM = "workflows.services.turn:perform=2"  # claimed, and nothing sent yet
BEFORE_FINISH = "workflows.services.turn:finish_work=2"  # the provider said yes, and nobody wrote it down
AFTER_FINISH = "workflows.services.turn:finish_work=2+"  # committed, and the nudge for what follows was not published
BEFORE_PUBLISH = "chimeway_py.nudges:Relay._publish=3"  # committed, and the nudge lies in memory
BEFORE_ROUTE = "workflows.services.turn:route_signals=4"
AFTER_ADVANCE = "workflows.services.turn:advance_due=4+"
CLOSES_A_DIGEST = "workflows.digests.closing:RunBatch.flush=1"  # its row is changed, and its leader's is not yet
TELLS_A_MEMBER = "workflows.digests.closing:RunBatch.flush=2"  # closed and committed, and nobody else was told


def dies_at(env: Mapping[str, str], *points: str, tells: Path | None = None) -> dict[str, str]:
    """`env` for a process that kills itself at the first of these points that it comes to, and `tells` a file first."""
    told = {"FAILPOINTS_REACHED": str(tells)} if tells else {}
    return {**env, **told, "PYTHONPATH": str(SHIM), "FAILPOINTS": ",".join(points)}


def without(env: Mapping[str, str] | None, *names: str) -> dict[str, str]:
    """`env` after one fault has ended: what another one put in at the same time stays until that one ends."""
    return {key: value for key, value in (env or {}).items() if key not in names}


def off_by(env: Mapping[str, str], seconds: float, *, tells: Path | None = None) -> dict[str, str]:
    """`env` for a process whose clock is off by so many seconds, and which `tells` a file its time when it begins."""
    told = {"CLOCK_TOLD": str(tells)} if tells else {}
    return {**env, **told, "PYTHONPATH": str(SHIM), "CLOCK_SHIFT": str(seconds)}
