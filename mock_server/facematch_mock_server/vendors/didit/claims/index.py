"""The index of faces: who is enrolled, who is known again, and what a deletion leaves."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table

from .sources import OPENAPI, OURS

_ENROLLING = (
    row("match.enrols", False, "A face match never enrols a face.", OPENAPI),
    row("match.screens", False, "A face match never screens its faces.", OPENAPI),
    row("liveness.enrols", True, "A saved liveness check enrols the face.", OPENAPI),
    row(
        "liveness.screens",
        True,
        "Every live liveness check is screened against the index, saved or not.",
        OPENAPI,
    ),
    row("age.enrols", True, "A saved age estimation enrols the face.", OPENAPI),
    row("search.enrols", True, "A saved face search enrols the face.", OPENAPI),
    row(
        "index.hides",
        ("search",),
        "A face that a search enrolled never shows up in later searches, nor in screening.",
        OPENAPI,
        turned=(),
    ),
    row("index.unsaved", False, "A call that is not saved enrols nobody.", OPENAPI),
    row("index.sandbox", False, "A sandbox call enrols nobody.", OPENAPI),
)

_KNOWING = (
    row(
        "index.certain",
        90.0,
        "A likeness of 90 or more is certain; Didit's limit is not documented.",
        OURS,
        turned=101.0,
    ),
    row(
        "index.possible",
        75.0,
        "A likeness of 75 or more is possible, and lower ones are not told; Didit's limit is not "
        "documented.",
        OURS,
        turned=0.0,
    ),
    row(
        "index.duplicates",
        ("Approved",),
        "A duplicate is a face of another session that is Approved.",
        OPENAPI,
        turned=("Approved", "Declined"),
    ),
    row(
        "index.listed_once",
        True,
        "A face on the block list is told as that, and not as a duplicate, too.",
        OURS,
    ),
    row(
        "liveness.leaves_out",
        True,
        "In a liveness check faces of the same vendor_data are left out of the whole search.",
        OPENAPI,
    ),
    row(
        "liveness.allowed_suppress",
        True,
        "In a liveness check a face on the allow list suppresses duplicates, as in a search.",
        OURS,
    ),
    row(
        "search.leaves_out",
        False,
        "In a search faces of the same vendor_data are not left out.",
        OPENAPI,
    ),
    row(
        "search.allowed_suppress",
        True,
        "In a search a match on the allow list suppresses the warnings of duplicates.",
        OPENAPI,
    ),
)

_FORGETTING = (
    row("index.forgets", True, "With a session its faces are deleted, softly.", OPENAPI),
    row("index.listed_stay", True, "Entries of a list stay when their session goes.", OPENAPI),
)

CLAIMS = table("didit", *_ENROLLING, *_KNOWING, *_FORGETTING)
