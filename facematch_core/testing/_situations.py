"""What a vendor can be made to do, as one closed list."""

from __future__ import annotations

import enum

from facematch_core import Operation
from facematch_core.backend import Capabilities


class Situation(enum.StrEnum):
    """One thing that a vendor (or an engine on this machine) may do with a call.

    A double produces as many of them as its vendor knows. A rule that needs one which the double
    does not produce is skipped and says so; only those of `required` may not be missing.
    """

    # Answers about people

    #: Both pictures show one person: a match at the default threshold, with a score well above it.
    #: Where the vendor checks liveness as well, the probe passes a check, too.
    SAME_PERSON = "same_person"
    #: The pictures show two people: no match at the default threshold. What a check of the probe
    #: says is left open.
    DIFFERENT_PEOPLE = "different_people"
    #: The probe shows a live face. Where the vendor compares as well, the pictures match, too.
    LIVE = "live"
    #: The probe shows a photograph, a screen or a mask. What a comparison says is left open.
    SPOOF = "spoof"
    #: Exactly the score that `prepare` is given, decided by the vendor's own rule at the threshold
    #: it is sent. A vendor that takes no threshold answers as for SAME_PERSON or LIVE. Where an
    #: estimation of age looks for life as well, it is the score of that.
    SCORE = "score"

    # Answers that are easily misread

    #: No face is found in at least one picture.
    NO_FACE = "no_face"
    #: The probe shows two faces, one of them the right one.
    TWO_FACES = "two_faces"
    #: The probe lies on its side: only a call with ``rotate=True`` can compare it.
    TURNED = "turned"
    #: The vendor's most favourable verdict, with null where the score stands.
    NULL_SCORE = "null_score"
    #: A number where the score stands that is not on the vendor's scale (250 of 100).
    IMPOSSIBLE_SCORE = "impossible_score"
    #: A high score, and the verdict `VendorDouble.unknown_status`, which no document names.
    UNKNOWN_STATUS = "unknown_status"
    #: As SAME_PERSON or LIVE, with the warning `VendorDouble.unknown_warning`, which no document
    #: names, of the vendor's gravest weight or of a weight that no document names either; best
    #: twice, once of each.
    UNKNOWN_WARNING = "unknown_warning"
    #: As SAME_PERSON or LIVE, with the guesses `VendorDouble.demographics` in the answer.
    DEMOGRAPHICS = "demographics"

    # Refusals

    #: The key is wrong.
    BAD_KEY = "bad_key"
    #: The account is empty.
    NO_CREDIT = "no_credit"
    #: Too many calls.
    THROTTLED = "throttled"
    #: The vendor refuses the request itself (a field, a file).
    REJECTED = "rejected"

    # Faults

    #: Nothing listens: no byte of the request leaves.
    UNREACHABLE = "unreachable"
    #: The call is carried out and charged, and the answer never comes.
    LOST_ANSWER = "lost_answer"
    #: The same, but the answer breaks off.
    BROKEN_ANSWER = "broken_answer"
    #: A gateway before the vendor answers instead (502 with a page of HTML).
    GATEWAY_ERROR = "gateway_error"
    #: The vendor reports a fault of its own, in its own words.
    OUTAGE = "outage"
    #: Success and a charge, in a shape that no document describes.
    UNREADABLE_200 = "unreadable_200"
    #: The answer does not come before the double is prepared anew or closed.
    SLOW = "slow"


#: What a pass looks like, per operation, and its opposite.
GOOD = {Operation.MATCH: Situation.SAME_PERSON, Operation.LIVENESS: Situation.LIVE}
BAD = {Operation.MATCH: Situation.DIFFERENT_PEOPLE, Operation.LIVENESS: Situation.SPOOF}

#: What each operation is best answered with.
BEST = GOOD

#: Situations that only one operation can meet.
OPERATION_OF = {
    situation: operation for table in (GOOD, BAD) for operation, situation in table.items()
}

#: Situations that end in a result, whatever its decision.
ANSWERS = (
    Situation.SAME_PERSON,
    Situation.DIFFERENT_PEOPLE,
    Situation.LIVE,
    Situation.SPOOF,
    Situation.NO_FACE,
    Situation.TWO_FACES,
    Situation.NULL_SCORE,
    Situation.UNKNOWN_STATUS,
    Situation.UNKNOWN_WARNING,
    Situation.DEMOGRAPHICS,
)

#: Situations that end in an error.
FAILURES = (
    Situation.BAD_KEY,
    Situation.NO_CREDIT,
    Situation.THROTTLED,
    Situation.REJECTED,
    Situation.UNREACHABLE,
    Situation.LOST_ANSWER,
    Situation.BROKEN_ANSWER,
    Situation.GATEWAY_ERROR,
    Situation.OUTAGE,
    Situation.UNREADABLE_200,
)


def required(can: Capabilities) -> frozenset[Situation]:
    """The situations without which a backend that declares `can` cannot be judged at all."""
    needed = {
        table[operation]
        for table in (GOOD, BAD)
        for operation in can.operations
        if operation in table
    }
    if can.billed_operations:
        # Where money is at stake, these two decide whether somebody pays twice.
        needed |= {Situation.LOST_ANSWER, Situation.UNREADABLE_200}
    return frozenset(needed)
