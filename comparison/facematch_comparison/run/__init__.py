"""Ask every system about every pair exactly once; resume after a kill at any point."""

from .database import RunDatabase
from .pairs import PairState, Progress, UnresolvedCharge
from .scores import read_answers
from .stored import Price, StoredStudy, StoredSystem
from .study_run import RunSummary, StudyRun, run_study
from .system import RunSystem

__all__ = [
    "PairState",
    "Price",
    "Progress",
    "RunDatabase",
    "RunSummary",
    "RunSystem",
    "StoredStudy",
    "StoredSystem",
    "StudyRun",
    "UnresolvedCharge",
    "read_answers",
    "run_study",
]
