"""The mutants of vendors that answer later, and of one that refuses with a 200.

Rows are as those of the table, which holds them, too.
"""

import functools
from typing import ClassVar

import attrs
from mutants.faults import nobody, refuse, remember
from mutants.making import row
from mutants.reference import (
    ERRORS,
    PASS,
    CheckReference,
    CheckSimulator,
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
)

import facematch_core as fm
from facematch_core.http import ErrorRow, Wait
from facematch_core.testing import Situation

FREE = fm.Billing(fm.Charged.NO, "the vendor's page on prices: refusals are free")
#: The vendor's words for what others say by a status.
CODES = {
    400: "InvalidParameterValue.Picture",
    401: "AuthFailure.SecretIdNotFound",
    402: "ResourceUnavailable.InArrears",
    429: "RequestLimitExceeded",
    503: "InternalError",
}


class PoliteReference(HttpReference):
    """Conforms; its vendor answers with a 200, whatever there is to say."""

    codes_in_200 = True
    error_codes: ClassVar = {
        code: ErrorRow(ERRORS[status], FREE.charged, FREE.ground, "the vendor refuses it")
        for status, code in CODES.items()
    }

    def error_code(self, reply):
        return reply.at("Response", "Error", "Code")

    def body(self, reply):
        return reply.json()["Response"]


class ByHandReference(PoliteReference):
    """Conforms; reads the codes itself."""

    codes_in_200 = False
    error_codes: ClassVar = {}
    errors: ClassVar = {CODES[status]: ERRORS[status] for status in CODES}

    def parse(self, call, reply):
        code = self.error_code(reply)
        if code is not None:
            raise self.refuse(code)
        return super().parse(call, reply)

    def refuse(self, code):
        if not isinstance(code, str) or code not in self.errors:
            return fm.UnexpectedResponse("A refusal that nobody knows.")
        return self.errors[code]("The vendor refuses it.", billing=FREE)


class PoliteSimulator(HttpReferenceSimulator):
    """The vendor, who refuses with a 200 and charges answers alone."""

    def __init__(self, backend_class=PoliteReference):
        super().__init__(backend_class)

    def answer(self, request, situation, score):
        answer = super().answer(request, situation, score)
        number = next(self._numbers)
        if answer.status == 200:
            body = {"Response": {**answer.body, "RequestId": f"request-{number}"}}
            return attrs.evolve(answer, body=body)
        error = {"Code": CODES[answer.status], "Message": f"It is refused: {answer.status}."}
        body = {"Response": {"Error": error, "RequestId": f"request-{number}"}}
        return attrs.evolve(answer, status=200, body=body, charged=False)


def asks_at_once(me, ok, call):
    """Asks a thousand times, and never waits."""
    reply = yield me.submit(call)
    job = me.address + reply.headers["Location"]
    for _ in range(1000):
        try:
            reply = yield me.poll(job)
        except fm.RateLimited:
            continue
        if me.is_done(reply.json()):
            return me.parse(call, reply)
    raise fm.OutcomeUnknown("It is not done.")


def asks_on(*problems):
    """Replaces `steps`: a poll that ends in one of these is made again, until the deadline."""

    def steps(me, ok, call):
        reply = yield me.submit(call)
        job, failures = me.address + reply.headers["Location"], 0
        while True:
            yield Wait(me.pause_s(reply))
            try:
                reply = yield me.poll(job)
                is_done = me.is_done(reply.json())
            except (fm.RateLimited, fm.VendorUnavailable, *problems) as problem:
                failures += not isinstance(problem, problems)
                if failures == me.most_failures:
                    raise
                yield Wait(getattr(problem, "retry_after_s", None) or 0.0)
            else:
                failures = 0
                if is_done:
                    return me.parse(call, reply)

    return steps


def keeps_the_poll(me, ok, call):
    """Asks once alone, and looks for the end in that answer."""
    reply = yield me.submit(call)
    job = me.address + reply.headers["Location"]
    polls = remember(me, "polls", dict)
    while True:
        yield Wait(0.01)
        if call.operation not in polls:
            polls[call.operation] = yield me.poll(job)
        if me.is_done(polls[call.operation].json()):
            return me.parse(call, polls[call.operation])


def closes(me, ok):
    """Replaces `close`."""
    vars(me)["is_closed"] = True
    ok()


def asks_unless_closed(me, ok, url):
    """Replaces `poll`."""
    return refuse(fm.OutcomeUnknown("It is closed.")) if vars(me).get("is_closed") else ok(url)


def notes_the_state(me, ok, reply):
    """Replaces `report`."""
    vars(me)["state"] = reply.at("state")
    return ok(reply)


def withdrawn_is_a_pass(me, ok, call, reply):
    """Replaces `parse`."""
    result = ok(call, reply)
    return attrs.evolve(result, score=None) if me.state == "withdrawn" else result


class FaceSimulator(HttpReferenceSimulator):
    """The vendor, who compares whatever it is shown, and says beside that whether it saw a face."""

    def answered(self, words, key, situation, score):
        is_face = situation is not Situation.NO_FACE
        met = situation if is_face else Situation.SAME_PERSON
        status, body = super().answered(words, key, met, score)
        if "score" in body:
            body["face"] = "clear" if is_face else "none"
        return status, body


class LookSimulator(HttpReferenceSimulator):
    """The vendor, who wants somebody to look where it sees no face."""

    def answered(self, words, key, situation, score):
        status, body = super().answered(words, key, situation, score)
        return status, body | ({"verdict": "look"} if situation is Situation.NO_FACE else {})


job = functools.partial(row, base=JobReference, simulator=JobSimulator)
check = functools.partial(row, base=CheckReference, simulator=CheckSimulator)
polite = functools.partial(row, base=PoliteReference, simulator=PoliteSimulator)
by_hand = functools.partial(row, base=ByHandReference, simulator=PoliteSimulator)

# fmt: off
ROWS = (
    # How often a job is asked for
    job("R19", "AsksWithoutAWait", "Waits no time between two polls.",
        pause_s=lambda me, ok, reply: 0.0),
    job("R19", "AsksAThousandTimes", "Polls a thousand times, one after the other.",
        steps=asks_at_once),
    job("R19", "AsksAtItsOwnPace", "Polls each second, whatever the vendor asks for.",
        pause_s=lambda me, ok, reply: 1.0),
    job("R19", "AsksABusyVendorSoon", "A poll that comes too early is made again in a second.",
        refused=lambda me, ok, refusal: None),
    job("R19", "WaitsForNumbersAlone", "Reads no date in `Retry-After`.",
        pause_s=lambda me, ok, reply: float(text)
            if (text := reply.headers.get("Retry-After", "1")).isdigit() else 1.0),
    job("R19", "WaitsLongForNothing", "Asks once a minute, whoever waits at the door.",
        pause_s=lambda me, ok, reply: max(60.0, ok(reply))),
    job("R19", "KeepsTheFirstPoll", "What the first poll said of a job is what each poll says.",
        is_done=lambda me, ok, body: ok(remember(me, "first", lambda: body))),
    job("R01", "KeepsOnePollForAll", "Asks once alone, and waits for the end in that answer.",
        steps=keeps_the_poll),

    # What a poll may be answered
    job("R38", "AsksWithARevokedKey", "A key that a poll finds refused is tried to the deadline.",
        steps=asks_on(fm.AuthenticationFailed)),
    job("R38", "AsksThroughEachFault", "Asks through a fault of the vendor until the deadline.",
        most_failures=1_000_000),
    job("R38", "AsksAfterHalfAnAnswer", "An answer that breaks off is no answer, however often.",
        steps=asks_on(ValueError)),
    job("R38", "NoJobIsNobody", "A job that is not found is a picture without a face.",
        parse_non_200=lambda me, ok, call, reply: nobody(call) if reply.status == 410 else None),
    job("R38", "AwaitsNobody", "What does not run is over: a job that awaits someone, too.",
        is_done=lambda me, ok, body: body["state"] != "running"),
    job("R38", "AsksInAnUnknownState", "What is not done runs, whatever it is.",
        is_done=lambda me, ok, body: body["state"] == "done"),
    job("R38", "NullRuns", "A job without a state runs.",
        is_done=lambda me, ok, body: body.get("state") is not None and ok(body)),
    job("R38", "TheVerdictIsTheEnd", "A job with a verdict is over, whatever its state.",
        is_done=lambda me, ok, body: "verdict" in body),
    check("R38", "WithdrawnIsAPass", "A check that was withdrawn has passed, without a score.",
        job_states={"in_progress": False, "complete": True, "withdrawn": True},
        report=notes_the_state, parse=withdrawn_is_a_pass),
    row("R38", "OnlyThatWordIsNobody", "Every other word about the face means that there is one.",
        base=HttpReference, simulator=FaceSimulator,
        result=lambda me, ok, call, body: nobody(call) if body["face"] == "none"
            else ok(call, body)),
    row("R38", "LookingIsPassing", "Whom the vendor wants looked at has passed.",
        base=HttpReference, simulator=LookSimulator,
        decision=lambda me, ok, call, body, score: PASS[call.operation]
            if body["verdict"] == "look" else ok(call, body, score)),
    job("R30", "ClosingEndsItsJobs", "Who is closed asks no more for what was paid for.",
        close=closes, poll=asks_unless_closed),
    job("R38", "TheScoreIsTheEnd", "A job with a score is over, whatever its state.",
        is_done=lambda me, ok, body: "score" in body),

    # Refusals with a 200
    polite("R38", "NewRefusalsAreFree", "A code that nobody knows is a refusal, and free.",
        error=lambda me, ok, reply, call: fm.RequestRejected("Refused.", billing=FREE)
            if str(me.error_code(reply)) not in me.error_codes else ok(reply, call)),
    by_hand("R38", "NewRefusalsAreFreeByHand", "Every other code is a refused field, and free.",
        refuse=lambda me, ok, code: me.errors.get(code, fm.RequestRejected)("No.", billing=FREE)),
    by_hand("R38", "NewRefusalsAreNobody", "Every other code means that there is no face.",
        parse=lambda me, ok, call, reply: nobody(call)
            if str(me.error_code(reply)) not in {"None", *me.errors} else ok(call, reply)),
    by_hand("R38", "FieldsAreNobody", "What begins as the code of a field means that there is no "
        "face.",
        parse=lambda me, ok, call, reply: nobody(call)
            if str(me.error_code(reply)).startswith(f"{CODES[400]}.") else ok(call, reply)),
    polite("R38", "AScoreIsNoRefusal", "A refusal beside which a score stands is passed over.",
        error_code=lambda me, ok, reply: None if reply.at("Response", "score") else ok(reply)),
)
# fmt: on
