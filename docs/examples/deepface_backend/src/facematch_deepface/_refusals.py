"""What a 400 of a DeepFace server is about, and its text without the traceback.

It is ``{"error": "Exception while verifying: TEXT - TRACEBACK"}``, or ``{"exception": "..."}`` for
a picture that is missing. The cause often is in the traceback alone, while TEXT names the
picture. Facts as in `_wire`.
"""

from typing import Any

from facematch_core import (
    Billing,
    Charged,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Severity,
    WarningCode,
)
from facematch_core.backend import LivenessCall, MatchCall

from ._wire import FREE, NAME, text

#: What may be anywhere in the text, and what it is a warning of.
CAUSES = {
    "Face could not be detected": WarningCode.NO_FACE,
    "Spoof detected in given image.": WarningCode.PRESENTATION_ATTACK,
}

#: What each is called in our sentence.
SEEN = {
    WarningCode.NO_FACE: "no face was found in",
    WarningCode.PRESENTATION_ATTACK: "a spoof was seen in",
}

#: How the text before the traceback names the picture, if it does.
PLACES = {"img1_path": "probe", "img2_path": "reference"}

#: How Python begins a traceback. What follows shows files and lines of the server.
TRACEBACK = "Traceback (most recent call last)"


def refused_match(call: MatchCall, body: Any) -> MatchResult:
    """The result in a 400 that has a `cause`: nothing was compared.

    Raises:
        Exception: of any kind, if it is about something else.
    """
    code, place = cause(body), place_in(body)
    blank = code is WarningCode.NO_FACE
    return MatchResult(
        decision=Decision.INCONCLUSIVE,
        warnings=(warning(code, f"the {place}" if place else "one of the pictures"),),
        probe_faces=() if blank and place == "probe" else None,
        reference_faces=() if blank and place == "reference" else None,
        backend=NAME,
        billing=Billing(Charged.NO, FREE),
        raw=without_traceback(body),
    )


def refused_liveness(call: LivenessCall, body: Any) -> LivenessResult:
    """The result in a 400 that has a `cause`, of the one picture of a liveness check.

    Raises:
        Exception: of any kind, if it is about something else.
    """
    code = cause(body)
    spoof = code is WarningCode.PRESENTATION_ATTACK
    return LivenessResult(
        decision=LivenessDecision.NOT_LIVE if spoof else LivenessDecision.INCONCLUSIVE,
        warnings=(warning(code, "the picture"),),
        probe_faces=None if spoof else (),
        method="anti_spoofing",
        backend=NAME,
        billing=Billing(Charged.NO, FREE),
        raw=without_traceback(body),
    )


def cause(body: Any) -> WarningCode:
    """What a 400 says of the faces.

    Raises:
        Exception: of any kind, if it is about something else.
    """
    whole = text(body["error"])
    return next(code for phrase, code in CAUSES.items() if phrase in whole)


def place_in(body: Any) -> str | None:
    """Which picture a 400 is about, ``probe`` or ``reference``; None if it does not say."""
    sentence = before_traceback(text(body["error"]))
    return next((place for word, place in PLACES.items() if word in sentence), None)


def warning(code: WarningCode, where: str) -> ResultWarning:
    """The server's phrase as the tag, and in our words which picture it is about."""
    tag = next(phrase for phrase, meant in CAUSES.items() if meant is code)
    return ResultWarning(code=code, severity=Severity.ERROR, tag=tag, text=f"{SEEN[code]} {where}")


def without_traceback(body: Any) -> dict[str, str]:
    """The texts in the body of an error, as far as they may be shown.

    Raises:
        AttributeError: the body is no JSON object.
    """
    return {key: before_traceback(value) for key, value in body.items() if isinstance(value, str)}


def before_traceback(words: str) -> str:
    """The first line of `words`, up to the traceback."""
    return words.partition(TRACEBACK)[0].partition("\n")[0].rstrip(" -")
