"""What is asked of Didit, and how its answers are told."""

from __future__ import annotations

from facematch_mock_server.drift._script import Forms, Script

from ._kept import KEPT, KEPT_AGE, SEARCHES
from ._paid import AGES, CHECKS, MATCHES, OTHERS, TURNED
from ._reasons import REASONS
from ._refusals import FIELDS, FILES, FILTERS, FORMS, KEYS, LONG, SIZES
from ._seeing import seen

__all__ = ["SCRIPT"]

_FORMS = Forms(
    words=frozenset(
        {
            *("status", "method", "risk", "feature", "features", "log_type", "environment"),
            *("short_description", "long_description", "session_kind", "session_type"),
            *("api_service", "new_status", "source", "face_retention_outcome"),
        }
    ),
    guarded=frozenset({"user", "node_id"}),
    scores=frozenset({"score"}),
    numbers=frozenset({"best_angle"}),
    listed=frozenset({"entities", "reviews"}),
    rows=frozenset({"results", "matches"}),
    told_apart=(("warnings", "risk"),),
    amounts=frozenset({"balance"}),
    optional=frozenset({"auto_refill_amount", "auto_refill_threshold"}),
    addresses=frozenset({"next", "previous"}),
    headers=("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"),
    ids=frozenset({"session_id"}),
)

SCRIPT = Script(
    vendor="didit",
    title="Didit",
    chains=(
        KEYS,
        FILES,
        FIELDS,
        LONG,
        FORMS,
        FILTERS,
        MATCHES,
        TURNED,
        CHECKS,
        AGES,
        OTHERS,
        KEPT,
        KEPT_AGE,
        SEARCHES,
        # Last, because a gateway may cut such an upload off.
        SIZES,
    ),
    forms=_FORMS,
    key_header="x-api-key",
    prices={name: f"credit.price.{name}" for name in ("match", "liveness", "search", "age")},
    currency="USD",
    groups={
        "errors": "requests that are refused: free",
        "match": "comparisons that are not kept",
        "liveness": "liveness checks that are not kept",
        "age": "estimations of age that are not kept",
        "other": "the picture of another person, if there is one",
        "kept": "calls that are kept, read and deleted again",
        "search": "face searches, which look at everybody in the account's index",
    },
    seen=seen,
    delete="/v3/session/{id}/delete/",
    unsaved="decision of a match that was not kept",
    reasons=REASONS,
)
