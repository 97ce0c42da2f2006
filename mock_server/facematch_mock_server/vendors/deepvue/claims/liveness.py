"""The verdict of a liveness check."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table

from .sources import LIVENESS_PAGE, OURS

CLAIMS = table(
    "deepvue",
    row(
        "liveness.data",
        ("is_live", "score"),
        "data has is_live and score.",
        LIVENESS_PAGE,
        turned=("is_live",),
    ),
    row("liveness.from", 50.0, "is_live is true from a score of 50 up.", OURS, turned=101.0),
    row("liveness.attack", False, "An attack that is recognised is not live.", OURS),
    row("liveness.unsure", False, "A face without a score is not live.", OURS),
    row(
        "liveness.score",
        "null",
        "score is null, as the sample has it.",
        LIVENESS_PAGE,
        turned="number",
        when=("liveness_score", ("null",)),
        name="null",
    ),
    row(
        "liveness.score",
        "number",
        "score is a whole number from 0 to 100 (a switch: its scale is not documented).",
        OURS,
        turned="null",
        when=("liveness_score", ("number",)),
        name="number",
    ),
)
