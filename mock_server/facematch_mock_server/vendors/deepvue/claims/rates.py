"""Rate limits: three windows for each key, by the plan of the account."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table

from .errors import error
from .sources import ERRORS, OURS, RATE_LIMITS

#: A plan with what it lets through in a second, a minute and a day.
_PLANS = (
    ("starter", (1, 30, 1_000)),
    ("business", (2, 100, 10_000)),
    ("growth", (5, 500, 20_000)),
    ("enterprise", (17, 1_000, 50_000)),
)
_WINDOWS = ("second", "minute", "day")

CLAIMS = table(
    "deepvue",
    *(
        row(
            f"rate.{window}.limit",
            limit,
            f"On the plan {plan.capitalize()} a key has {limit:,} requests in a {window}.",
            RATE_LIMITS,
            turned=0,
            when=("plan", (plan,)),
            name=plan,
        )
        for plan, limits in _PLANS
        for window, limit in zip(_WINDOWS, limits, strict=True)
    ),
    *(
        row(
            f"rate.{window}.limit",
            None,
            f"Unless a plan is set there is no limit in a {window}: the clock of a test stands "
            "still.",
            OURS,
            turned=0,
            when=("plan", ("none",)),
            name="none",
        )
        for window in _WINDOWS
    ),
    row(
        "rate.windows",
        {"second": 1, "minute": 60, "day": 86_400},
        "Each window is counted by itself, and any of them refuses.",
        RATE_LIMITS,
        turned={"second": 1},
    ),
    row("rate.by_key", True, "Each key has its own windows.", RATE_LIMITS),
    row(
        "rate.refused_count",
        False,
        "The windows slide, and a request that is refused counts in none of them.",
        OURS,
    ),
    row("rate.wallet", True, "Asking for the balance counts as any call.", OURS),
    *error(
        "rate.refused",
        429,
        "Rate limit exceeded. Please retry after some time.",
        "A request over a limit is 429.",
        RATE_LIMITS,
        words=ERRORS,
    ),
    row(
        "rate.retry_after",
        (),
        "A 429 does not say when to come back: no header is documented.",
        RATE_LIMITS,
        turned=("Retry-After",),
        when=("retry_after", (False,)),
        name="no",
    ),
    row(
        "rate.retry_after",
        ("Retry-After",),
        "A 429 says in whole seconds when to come back (a switch: not documented).",
        OURS,
        turned=(),
        when=("retry_after", (True,)),
        name="yes",
    ),
)
