"""Calls that are paid and leave nothing behind."""

from __future__ import annotations

from facematch_mock_server.drift._script import Chain, How, Picture

from ._asking import (
    AGE,
    BALANCE,
    LIVENESS,
    MATCH_THRESHOLD,
    MINIMUM,
    THRESHOLD,
    UNSAVED,
    get,
    match,
    of_one,
    on,
    refused,
    score,
    session,
)

_BALANCE = ("balance",)

MATCHES = Chain(
    name="match",
    group="match",
    steps=(
        get("balance before a match", BALANCE, compares=_BALANCE),
        match(
            "match, not kept",
            values=(
                *score(("score", How.AS_IT_IS), ("below", How.BELOW)),
                *session("unsaved"),
            ),
        ),
        get("balance after a match", BALANCE, compares=_BALANCE),
        on("decision of a match that was not kept", "unsaved"),
        match(
            "match at the score",
            fields={MATCH_THRESHOLD: "{score}", **UNSAVED},
        ),
        get("balance after a declined match", BALANCE, compares=_BALANCE),
        refused("match without a picture"),
        get("balance after a refusal", BALANCE, compares=_BALANCE),
        match(
            "match below the score",
            fields={MATCH_THRESHOLD: "{below}", "vendor_data": "", "metadata": "", **UNSAVED},
        ),
        match("match of no face", Picture.BLANK),
        match("match of no picture", Picture.NOISE),
    ),
)

TURNED = Chain(
    name="turned pictures",
    group="match",
    steps=(
        match("match of a turned picture", Picture.TURNED),
        match(
            "match of a turned picture, turned back",
            Picture.TURNED,
            fields={"rotate_image": "true", **UNSAVED},
        ),
        of_one(
            "liveness of a turned picture, not turned back",
            LIVENESS,
            Picture.TURNED,
            fields={"rotate_image": "false", **UNSAVED},
        ),
    ),
)

OTHERS = Chain(
    name="other person",
    group="other",
    steps=(
        match("match of two people", Picture.OTHER),
        of_one("liveness of the other person", LIVENESS, Picture.OTHER),
        of_one("age of the other person", AGE, Picture.OTHER),
    ),
)

CHECKS = Chain(
    name="liveness",
    group="liveness",
    steps=(
        get("balance before a check", BALANCE, compares=_BALANCE),
        of_one("liveness, not kept", LIVENESS, values=score(("score", How.AS_IT_IS))),
        get("balance after a check", BALANCE, compares=_BALANCE),
        of_one("liveness at the score", LIVENESS, fields={THRESHOLD: "{score}", **UNSAVED}),
        of_one("liveness of no face", LIVENESS, Picture.BLANK),
        of_one("liveness of no picture", LIVENESS, Picture.NOISE),
        of_one("liveness of two faces", LIVENESS, Picture.TWO),
        match("match of two faces", Picture.TWO),
    ),
)

AGES = Chain(
    name="age",
    group="age",
    steps=(
        get("balance before an age", BALANCE, compares=_BALANCE),
        of_one("age, not kept", AGE, values=score(("score", How.AS_IT_IS))),
        get("balance after an age", BALANCE, compares=_BALANCE),
        of_one("age below 100", AGE, Picture.REFERENCE, fields={MINIMUM: "100", **UNSAVED}),
        of_one(
            "age at the score",
            AGE,
            fields={MINIMUM: "0", THRESHOLD: "{score}", **UNSAVED},
        ),
        of_one("age of no face", AGE, Picture.BLANK),
        of_one("age of no picture", AGE, Picture.NOISE),
    ),
)
