"""Every system is asked about every pair, once; killed anywhere, it goes on from there."""

from .answers import read_answers
from .database import RunDatabase
from .embeddings import embed, read_embeddings
from .recover import Reconciled
from .run import Price, RunSummary, StudyRun, SystemSummary, run_study
from .schema import PairState, Progress, StoredStudy, StoredSystem, UnresolvedCharge

__all__ = [
    "PairState",
    "Price",
    "Progress",
    "Reconciled",
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
