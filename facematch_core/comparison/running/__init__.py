"""Every contender is asked about every pair, once; killed anywhere, it goes on from there."""

from ._cluster import Cluster
from ._contender import Open, Price
from ._embedding import Embed, Embedder
from ._journal import Journal
from ._reading import read_answers
from ._records import Left, PairState, Standing, StoredContender, StoredStudy
from ._run import ContenderSummary, RunSummary, StudyRun, run_study
from ._settling import Looked

__all__ = [
    "Cluster",
    "ContenderSummary",
    "Embed",
    "Embedder",
    "Journal",
    "Left",
    "Looked",
    "Open",
    "PairState",
    "Price",
    "RunSummary",
    "Standing",
    "StoredContender",
    "StoredStudy",
    "StudyRun",
    "read_answers",
    "run_study",
]
