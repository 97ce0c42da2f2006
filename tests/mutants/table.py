"""Every mutant, by the name of what its author got wrong, and the rule that must catch it."""

from mutants import bills, contents, good_calls, looks, replies, verdicts
from mutants.making import MUTANTS

__all__ = [
    "MUTANTS",
    "bills",
    "contents",
    "good_calls",
    "looks",
    "replies",
    "verdicts",
]
