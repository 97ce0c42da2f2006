"""Test sets: labelled pairs of pictures, read from a file or drawn from a folder."""

from .drawing import draw_pairs, split_by_subject
from .reading import Study, StudyPair, photographs, read_groups, read_study, write_pairs_csv

__all__ = [
    "Study",
    "StudyPair",
    "draw_pairs",
    "photographs",
    "read_groups",
    "read_study",
    "split_by_subject",
    "write_pairs_csv",
]
