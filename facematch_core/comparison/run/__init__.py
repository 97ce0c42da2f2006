"""Every system is asked about every pair, once; killed anywhere, it goes on from there."""

from .embeddings import embed, read_embeddings
from .journal import RunDatabase
from .recover import Reconciled
from .run import (
    LookSummary,
    Open,
    Price,
    RunSummary,
    StudyRun,
    SystemSummary,
    read_answers,
    run_study,
)
from .schema import PairState, Progress, StoredStudy, StoredSystem, UnresolvedCharge

__all__ = [
    "LookSummary",
    "Open",
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
