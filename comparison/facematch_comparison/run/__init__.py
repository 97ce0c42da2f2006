"""Every system is asked about every pair, once; killed anywhere, it goes on from there."""

from .embeddings import embed, read_embeddings
from .pairs import PairState, Progress, RunDatabase, UnresolvedCharge
from .recover import ReconciledCharge
from .scores import read_answers
from .stored import StoredStudy, StoredSystem
from .study_run import Price, RunSummary, StudyRun, SystemSummary, run_study

__all__ = [
    "PairState",
    "Price",
    "Progress",
    "ReconciledCharge",
    "RunDatabase",
    "RunSummary",
    "StoredStudy",
    "StoredSystem",
    "StudyRun",
    "SystemSummary",
    "UnresolvedCharge",
    "embed",
    "read_answers",
    "read_embeddings",
    "run_study",
]
