"""The closed vocabularies of results: one word per meaning, the same for every vendor."""

from __future__ import annotations

import enum


class Decision(enum.StrEnum):
    """What a comparison of two faces says."""

    MATCH = "match"
    NO_MATCH = "no_match"
    #: A person should look: the vendor said so, or said something unknown, or the score lies
    #: between the two thresholds.
    REVIEW = "review"
    #: No pair of faces could be scored. Says nothing about the people.
    INCONCLUSIVE = "inconclusive"


class LivenessDecision(enum.StrEnum):
    """What a passive liveness check says of one picture."""

    LIVE = "live"
    NOT_LIVE = "not_live"
    #: A person should look, for example because the vendor declined, but not for liveness.
    REVIEW = "review"
    #: No face could be judged.
    INCONCLUSIVE = "inconclusive"


class LiveMatchDecision(enum.StrEnum):
    """What liveness and comparison say together."""

    #: Live, and a match.
    VERIFIED = "verified"
    #: Not live. The comparison was not asked for, so it was not paid for.
    NOT_LIVE = "not_live"
    NO_MATCH = "no_match"
    REVIEW = "review"
    INCONCLUSIVE = "inconclusive"


class SearchDecision(enum.StrEnum):
    """What a search for one face among those that a vendor keeps says."""

    #: No face like it was found, and nothing of a blocklist.
    CLEAR = "clear"
    #: At least one face like it was found, and none of them is on a blocklist. Whether that is
    #: good depends on what was looked for: a customer who comes back, or one who comes twice.
    FOUND = "found"
    #: A face like it is on a blocklist.
    BLOCKLISTED = "blocklisted"
    #: A person should look, for example because a face on a blocklist may be it.
    REVIEW = "review"
    #: No face could be looked for.
    INCONCLUSIVE = "inconclusive"


class SearchMode(enum.StrEnum):
    """Which of the vendor's faces are searched."""

    #: All of them; the most similar ones are told.
    MOST_SIMILAR = "most_similar"
    #: Those on a blocklist, which are told first, and those of approved sessions.
    BLOCKLISTED_OR_APPROVED = "blocklisted_or_approved"


class AgeDecision(enum.StrEnum):
    """What an estimation of age says. It is a guess from a picture, not a proof of age."""

    #: A live face whose estimated age is at least the minimum age.
    OLD_ENOUGH = "old_enough"
    #: The estimated age is below the minimum age.
    TOO_YOUNG = "too_young"
    #: A live face with an estimated age, and no minimum age was asked for.
    ESTIMATED = "estimated"
    #: Not a live face, so the age is that of a picture. Not a claim that somebody is too young.
    NOT_LIVE = "not_live"
    #: A person should look.
    REVIEW = "review"
    #: No age could be estimated.
    INCONCLUSIVE = "inconclusive"


class WarningCode(enum.StrEnum):
    """What a warning is about; `OTHER` for what no code names."""

    LOW_SIMILARITY = "low_similarity"
    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
    LOW_LIVENESS = "low_liveness"
    PRESENTATION_ATTACK = "presentation_attack"
    BLOCKLISTED = "blocklisted"
    POSSIBLY_BLOCKLISTED = "possibly_blocklisted"
    DUPLICATE = "duplicate"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    LOW_QUALITY = "low_quality"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    UNDERAGE = "underage"
    AGE_UNKNOWN = "age_unknown"
    SCORE_UNAVAILABLE = "score_unavailable"
    SCORE_NOT_SIMILARITY = "score_not_similarity"
    SCALE_ASSUMED = "scale_assumed"
    THRESHOLD_UNKNOWN = "threshold_unknown"
    THRESHOLD_CONFLICT = "threshold_conflict"
    OTHER = "other"


class Severity(enum.StrEnum):
    """How much a warning weighs in its vendor's own words."""

    INFORMATION = "information"
    WARNING = "warning"
    #: The vendor declines because of it.
    ERROR = "error"
    #: The vendor used a word we do not know; treated like `ERROR`.
    UNKNOWN = "unknown"


class Advice(enum.StrEnum):
    """What an application can tell its user to do about a warning."""

    RETAKE_PHOTO = "retake_photo"
    BETTER_LIGHT = "better_light"
    ONE_FACE_ONLY = "one_face_only"
    #: For the application, not for its user.
    POSSIBLE_FRAUD = "possible_fraud"
    REVIEW = "review"


#: Advice per code; a code without a line has none (None).
ADVICE: dict[WarningCode, Advice] = {
    WarningCode.NO_FACE: Advice.RETAKE_PHOTO,
    WarningCode.MULTIPLE_FACES: Advice.ONE_FACE_ONLY,
    WarningCode.LOW_LIVENESS: Advice.RETAKE_PHOTO,
    WarningCode.PRESENTATION_ATTACK: Advice.POSSIBLE_FRAUD,
    WarningCode.BLOCKLISTED: Advice.POSSIBLE_FRAUD,
    WarningCode.POSSIBLY_BLOCKLISTED: Advice.POSSIBLE_FRAUD,
    WarningCode.DUPLICATE: Advice.REVIEW,
    WarningCode.POSSIBLE_DUPLICATE: Advice.REVIEW,
    WarningCode.LOW_QUALITY: Advice.BETTER_LIGHT,
    WarningCode.TOO_DARK: Advice.BETTER_LIGHT,
    WarningCode.TOO_BRIGHT: Advice.BETTER_LIGHT,
    WarningCode.UNDERAGE: Advice.REVIEW,
    WarningCode.AGE_UNKNOWN: Advice.REVIEW,
}


class Billed(enum.StrEnum):
    """Whether the vendor charged for a call, as far as can be known on this side."""

    YES = "yes"
    NO = "no"
    #: It may have been executed and charged. Never repeated without being asked to.
    UNKNOWN = "unknown"


class Environment(enum.StrEnum):
    """What kind of answer a result is."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"
    MOCK = "mock"
    LOCAL = "local"


class Retention(enum.StrEnum):
    """What the vendor is asked to keep of a call."""

    #: Nothing, as far as the vendor lets a caller say so.
    MINIMAL = "minimal"
    #: The call, pictures included, as a record that can be read later.
    KEEP = "keep"


class ThresholdRule(enum.StrEnum):
    """How a score is compared with a threshold."""

    #: Passes if score > threshold.
    ABOVE = "above"
    #: Passes if score >= threshold.
    AT_LEAST = "at_least"
    #: The vendor's rule or value is not known to us: only its verdict counts.
    VENDOR = "vendor"


class ThresholdSource(enum.StrEnum):
    """Who set a threshold."""

    CALLER = "caller"
    PROFILE = "profile"
    #: The backend's documented default.
    DEFAULT = "default"
    #: The vendor's own, not chosen on this side.
    VENDOR = "vendor"
    #: A threshold file made by a comparison.
    CALIBRATION = "calibration"


class ScaleSource(enum.StrEnum):
    """How we know what the vendor's number means."""

    DOCUMENTED = "documented"
    #: Told by the configuration.
    CONFIGURED = "configured"
    #: Neither: the default of a setting was used.
    ASSUMED = "assumed"


class Operation(enum.StrEnum):
    """What a call asks for."""

    #: Whether two pictures show one person.
    MATCH = "match"
    #: Whether one picture shows a live face.
    LIVENESS = "liveness"
    #: Which of the faces that the vendor keeps are like the one in a picture.
    SEARCH = "search"
    #: How old the person in a picture looks.
    AGE = "age"


class Reconciled(enum.StrEnum):
    """What a look at a vendor's records says of a call whose outcome was unknown."""

    #: It was carried out and charged, and here is its result.
    FOUND = "found"
    #: It is not in the records, or not yet.
    NOT_YET = "not_yet"
    #: The records cannot tell.
    CANNOT_KNOW = "cannot_know"
