"""What every fault of the mock ends in for a caller of `DiditBackend`: (error or None, billed)."""

from facematch_core import Charged, errors
from facematch_mock_server import Kind, Stage
from facematch_mock_server.faults import CARRIED_OUT

UNKNOWN = (errors.OutcomeUnknown, Charged.UNKNOWN)
LATE = (errors.DeadlineExceeded, Charged.UNKNOWN)
FINE = (None, Charged.YES)
UNREADABLE = (errors.UnexpectedResponse, Charged.YES)

#: In time, and never; a fault without a time has None.
SOON_S, NEVER_S = 0.01, 3600.0
#: For calls that are to end by themselves, and for those that never do.
PATIENT_S, DEADLINE_S = 20.0, 0.25

#: What a fault ends in: (stage, kind, executed, seconds) -> (error or None, billed). `executed`
#: changes no answer, only the ledger; None stands for both.
ON_THE_WIRE = {
    # A reset may overtake the end of connect(), and then nothing was sent.
    (Stage.CONNECT, Kind.RESET, None): (UNKNOWN, (errors.VendorUnavailable, Charged.NO)),
    (Stage.CONNECT, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.CONNECT, Kind.DELAY, SOON_S): (FINE,),
    (Stage.CONNECT, Kind.DELAY, NEVER_S): (LATE,),
    (Stage.MID_UPLOAD, Kind.RESET, None): (UNKNOWN,),
    (Stage.MID_UPLOAD, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.RESET, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.GARBAGE, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.DELAY, SOON_S): (FINE,),
    (Stage.AFTER_UPLOAD, Kind.DELAY, NEVER_S): (LATE,),
    (Stage.MID_HEADERS, Kind.RESET, None): (UNKNOWN,),
    (Stage.MID_HEADERS, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.MID_HEADERS, Kind.GARBAGE, None): (UNKNOWN,),
    (Stage.MID_HEADERS, Kind.DRIBBLE, 0.0): (FINE,),
    (Stage.MID_HEADERS, Kind.DRIBBLE, NEVER_S): (LATE,),
    (Stage.MID_BODY, Kind.RESET, None): (UNKNOWN,),
    (Stage.MID_BODY, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.MID_BODY, Kind.DRIBBLE, 0.0): (FINE,),
    (Stage.MID_BODY, Kind.DRIBBLE, NEVER_S): (LATE,),
}

#: What an answer of another kind ends in: (kind, status) -> (error, billed).
ANSWERS = {
    (Kind.HTML, 200): UNREADABLE,
    (Kind.WRONG_JSON, 200): UNREADABLE,
    (Kind.STATUS, 200): UNREADABLE,
    # Some gateway's refusal: it says nothing about the key.
    (Kind.HTML, 403): (errors.PermissionDenied, Charged.NO),
    (Kind.HTML, 429): (errors.RateLimited, Charged.NO),
    (Kind.HTML, 500): UNKNOWN,
    (Kind.HTML, 502): UNKNOWN,
    (Kind.HTML, 504): UNKNOWN,
    (Kind.WRONG_JSON, 400): (errors.RequestRejected, Charged.NO),
    (Kind.WRONG_JSON, 502): UNKNOWN,
    # A body in the form of Didit's errors is believed, but not where it is a gateway's status.
    (Kind.JSON, 200): UNREADABLE,
    (Kind.JSON, 400): (errors.RequestRejected, Charged.NO),
    (Kind.JSON, 500): (errors.VendorUnavailable, Charged.NO),
    (Kind.JSON, 502): UNKNOWN,
    (Kind.JSON, 503): (errors.VendorUnavailable, Charged.NO),
    (Kind.JSON, 504): UNKNOWN,
    (Kind.STATUS, 400): (errors.RequestRejected, Charged.NO),
    (Kind.STATUS, 401): (errors.AuthenticationFailed, Charged.NO),
    (Kind.STATUS, 403): (errors.AuthenticationFailed, Charged.NO),
    (Kind.STATUS, 404): (errors.RequestRejected, Charged.NO),
    (Kind.STATUS, 405): (errors.RequestRejected, Charged.NO),
    (Kind.STATUS, 413): (errors.RequestRejected, Charged.NO),
    (Kind.STATUS, 415): (errors.RequestRejected, Charged.NO),
    (Kind.STATUS, 429): (errors.RateLimited, Charged.NO),
    # The mock answers these with a page of HTML, because no document tells Didit's words.
    (Kind.STATUS, 500): UNKNOWN,
    (Kind.STATUS, 502): UNKNOWN,
    (Kind.STATUS, 503): UNKNOWN,
    (Kind.STATUS, 504): UNKNOWN,
}

CASES = [
    *((stage, kind, s, 502, ends) for (stage, kind, s), ends in ON_THE_WIRE.items()),
    *((Stage.ANSWER, kind, None, status, (end,)) for (kind, status), end in ANSWERS.items()),
]
#: With whether the call is carried out: where the stage leaves no choice, as it does.
WHOLE_CASES = [
    (executed, *case)
    for case in CASES
    for executed in (False, True)
    if CARRIED_OUT.get(case[0], executed) is executed
]
OWN = {"detail": "The body of a test."}
