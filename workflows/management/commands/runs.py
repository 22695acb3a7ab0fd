"""Start, list and control runs."""

from workflows.management.run_bulk import BulkControl, CancelKey
from workflows.management.run_changing import CHANGES
from workflows.management.run_controlling import CONTROLS
from workflows.management.run_files import FILES
from workflows.management.run_replaying import ReplayRun
from workflows.management.run_showing import ShowRun
from workflows.management.run_starting import ListRuns, StartRuns
from workflows.management.run_state import StateAt
from workflows.management.run_sticky import STICKY
from workflows.management.verbs import VerbCommand

MORE = (*CHANGES, StateAt(), ReplayRun(), BulkControl(), CancelKey(), *STICKY)


class Command(VerbCommand):
    help = "Start, list and control runs."
    about = "runs"
    verbs = (StartRuns(), ListRuns(), ShowRun(), *CONTROLS, *MORE, *FILES)
