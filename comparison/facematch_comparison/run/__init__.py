"""Ask every system about every pair exactly once; resume after a kill at any point."""

from .database import RunDatabase
from .pairs import PairState, Progress, UnresolvedCharge
from .scores import read_answers
from .stored import Price, StoredStudy, StoredSystem
from .study_run import RunSummary, StudyRun, SystemSummary, run_study

__all__ = [
    "PairState",
    "Price",
    "Progress",
    "RunDatabase",
    "RunSummary",
    "StoredStudy",
    "StoredSystem",
    "StudyRun",
    "SystemSummary",
    "UnresolvedCharge",
    "read_answers",
    "run_study",
]
