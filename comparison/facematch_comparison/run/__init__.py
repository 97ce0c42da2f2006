"""Ask every system about every pair exactly once; resume after a kill at any point."""

from .database import RunDatabase
from .records import PairState, Price, Progress, StoredStudy, StoredSystem, UnresolvedCharge
from .study_run import RunSummary, StudyRun, read_answers, run_study
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
