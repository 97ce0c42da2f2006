"""Who is compared with whom: pairs of pictures of people who are known."""

from ._drawing import draw_pairs
from ._folders import photographs
from ._groups_csv import read_groups
from ._lfw import read_lfw_pairs
from ._pairs_csv import read_pairs_csv
from ._reading import read_study
from ._splitting import split_by_subject
from ._study import Study, StudyPair
from ._writing import write_pairs_csv

__all__ = [
    "Study",
    "StudyPair",
    "draw_pairs",
    "photographs",
    "read_groups",
    "read_lfw_pairs",
    "read_pairs_csv",
    "read_study",
    "split_by_subject",
    "write_pairs_csv",
]
