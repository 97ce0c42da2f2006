"""The mutants of the reference backend: each with one fault, and the rule that must catch it.

A row names the rule and the mutant, says in a sentence what is wrong, and gives what stands in the
place of methods and attributes of the reference. In a replacement `me` is the backend and `ok` is
what the reference does. `http` rows are of the reference over HTTP: what is wrong with the reading
of bytes, or with a setting, can only be shown there. `faults` has what takes more than a line,
`stricter` the rows that a contract which asks less would let through, and `sabotage` those of
faults that somebody put into a plug-in on purpose.
"""

import base64
import json
import logging
import math
import struct
import time

import attrs
from mutants import faults, sabotage, stricter
from mutants.faults import changed, noted, quiet, refuse, remembered, with_ids, written
from mutants.making import CLASSES, http, row
from mutants.reference import (
    CODES,
    LIMITS,
    PASS,
    ReferenceBackend,
    can,
)

import facematch_core as fm
from facematch_core.backend import ImageLimits
from facematch_core.http import check_base_url

evolve = attrs.evolve
MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS


# Replacements that several rows are made of.


def number(change):
    """Replaces `score`: another number than the vendor's, where there is one."""
    return lambda me, ok, call, told: ok(call, None if told is None else change(told))


def without(gone):
    """Replaces `warnings`: some of them are missing."""
    return lambda me, ok, body: tuple(w for w in ok(body) if not gone(w))


def each_warning(change):
    """Replaces `warnings`: each is another one."""
    return lambda me, ok, body: tuple(map(change, ok(body)))


def each_picture(change):
    """Replaces `pictures`: the bytes of each are others."""
    return lambda me, ok, call: {place: change(data) for place, data in ok(call).items()}


def told(change):
    """Replaces `result`: what it says of a threshold that the caller has not set."""
    return lambda me, ok, call, body: (
        evolve(ok(call, body), threshold=change(call.threshold))
        if by_default(call)
        else ok(call, body)
    )


def by_default(call):
    """Whether the threshold of a call is the backend's default."""
    return call.threshold is not None and call.threshold.source is fm.ThresholdSource.DEFAULT


def asked_for(words):
    """Replaces `request`: some of its words are others, for some calls."""
    return lambda me, ok, call: ok(call) | words(call)


def lost(answer):
    """Whether nobody knows what became of a call."""
    return isinstance(answer[2], fm.OutcomeUnknown)


def instead_of_number(change):
    """Replaces `body` over HTTP: something else where the score stands, past what reads JSON."""

    def read(me, ok, reply):
        body = json.loads(reply.body)
        return {**body, "score": change(body["score"])} if "score" in body else body

    return read


def missing(**there):
    """Replaces `body` over HTTP: something where a body has nothing."""
    return lambda me, ok, reply: {**there, **ok(reply)} if "warnings" in ok(reply) else ok(reply)


def passed(me, call):
    """A pass that no vendor has told."""
    return me.result(call, faults.A_PASS)


# fmt: off
ROWS = (
    # What a result says
    row("R01", "SignsWithAnotherName", "Results carry the vendor's name instead of the backend's.",
        result=lambda me, ok, call, body: evolve(ok(call, body), backend="Reference Inc.")),
    row("R01", "RemembersTheAnswer",
        "Hands out the first answer again for the same pictures at the same threshold.",
        exchange=lambda me, ok, call: remembered(me,
            (call.operation, call.probe, getattr(call, "reference", 0), call.threshold),
            lambda: ok(call))),
    row("R01", "IdOfTheCallBefore",
        "Tells the vendor's id of the call before: it is written down after the result is made.",
        result=lambda me, ok, call, body: with_ids(ok(call, body),
            vendor=noted(me, "id", body["id"]))),
    row("R02", "ScoreIsNaN", "NaN smuggled past the validator of `Score`.",
        score=lambda me, ok, call, told: faults.nan(ok(call, told))),
    row("R02", "OtherScale", "Scores on a scale that is not the declared one.",
        score=lambda me, ok, call, told: None if told is None else fm.Score(told, "reference/v0")),
    row("R02", "OneScaleForBoth", "Liveness is told on the scale of comparisons.",
        score=lambda me, ok, call, told: None if told is None
            else fm.Score(told, me.capabilities.score_scale)),
    row("R03", "ClampedScore", "No score may look too good to be true.",
        score=number(lambda told: min(max(told, 1.0), 99.0))),
    row("R03", "GuessesFractions", 'What is below 1 "must be a fraction".',
        score=number(lambda told: told * 100 if 0 < told <= 1 else told)),
    row("R03", "ZeroIsNone", "`if score` where `if score is not None` was meant.",
        score=number(lambda told: told or None)),
    row("R03", "ThroughSinglePrecision",
        "The number passes through an array of 32-bit floats: 50.1 becomes 50.0999985.",
        score=number(lambda told: struct.unpack("f", struct.pack("f", told))[0])),
    row("R03", "TwoDecimalsWillDo",
        "Scores are rounded to two decimals, as in the vendor's own console.",
        score=number(lambda told: round(told, 2))),
    row("R05", "UndeclaredLiveness", "Answers liveness calls without declaring them.",
        capabilities=can(operations=frozenset({MATCH}), billed_operations=frozenset({MATCH}))),
    row("R05", "ChecksUndeclared", "Declares no liveness check, and makes one.",
        capabilities=can(operations=frozenset({MATCH}))),

    # Verdicts and thresholds
    row("R06", "SwappedVerdicts", '"yes" read as no.',
        decision=lambda me, ok, call, body, score: ok(call,
            {"verdict": {"yes": "no", "no": "yes"}.get(body["verdict"], body["verdict"])}, score)),
    row("R06", "NeverSaysNo", "Leaves every comparison that the vendor declines to a person.",
        decision=lambda me, ok, *told: fm.Decision.REVIEW if ok(*told) is fm.Decision.NO_MATCH
            else ok(*told)),
    row("R07", "AtLeastForAbove", ">= where > is declared.",
        decision=lambda me, ok, call, body, score: PASS[call.operation]
            if score and score.value == me.threshold(call) else ok(call, body, score)),
    row("R07", "DeclaresTheOtherRule", "AT_LEAST is declared, the vendor says above.",
        capabilities=can(threshold_rule=fm.ThresholdRule.AT_LEAST)),
    row("R07", "RoundsBeforeComparing",
        "Compares the rounded score: 50.7 at a threshold of 50.7 is 51, and above it.",
        decision=lambda me, ok, call, body, score: ok(call, body, score)
            if score is None or body["verdict"] not in ("yes", "no")
            else ok(call, {"verdict": "yes" if round(score.value) > me.threshold(call) else "no"},
                score)),
    row("R08", "ForgetsTheThreshold", "The vendor is always sent the default.",
        threshold=lambda me, ok, call: me.capabilities.default_for(call.operation)),
    row("R03", "EveryPassIsCertain", 'A pass carries the score 100, "because it is certain".',
        result=lambda me, ok, call, body: evolve(ok(call, body), score=me.score(call, 100.0))
            if ok(call, body).decision is PASS[call.operation] else ok(call, body)),

    # What is missing, unknown or impossible
    row("R10", "ZeroForNone", "0 where the vendor gave no score.",
        score=lambda me, ok, call, told: ok(call, told or 0.0)),
    row("R10", "VerdictWithoutScore",
        'Believes a "yes" that cannot be held against the caller\'s threshold.',
        unscored=lambda me, ok, call, decision: decision if decision is PASS[call.operation]
            else ok(call, decision)),
    row("R10", "ReusesTheLastScore",
        "Where the score is null, the variable still holds that of the call before.",
        score=lambda me, ok, call, told: ok(call,
            vars(me).get("latest") if told is None else (noted(me, "latest", told), told)[1])),
    row("R11", "NoFaceIsMismatch", "A photograph without a face accuses whoever handed it in.",
        unscored=lambda me, ok, call, decision: decision),
    row("R11", "SaysNotWhyThereIsNoScore",
        "The warning that no face was found is left out, for the decision says it already.",
        warnings=without(lambda w: w.code is fm.WarningCode.NO_FACE)),
    row("R12", "DropsInformation", "Only grave warnings are handed on.",
        warnings=without(lambda w: w.severity is fm.Severity.INFORMATION)),
    row("R12", "CountsFacesOfComparisonsOnly",
        "A second face is told of a comparison and not of a liveness check.",
        result=lambda me, ok, call, body: ok(call, body) if call.operation is MATCH
            else evolve(ok(call, body), warnings=[w for w in ok(call, body).warnings
                if w.code is not fm.WarningCode.MULTIPLE_FACES])),
    row("R13", "UnknownStatusByScore", "A verdict that nobody knows is decided by the score.",
        decision=lambda me, ok, call, body, score: ok(call, body, score)
            if score is None or body["verdict"] in ("yes", "no")
            else ok(call, {"verdict": "yes" if score.value > me.threshold(call) else "no"}, score)),
    row("R13", "TidiesTheVendorsWord",
        "The status word is made an identifier: lower case, underscores.",
        result=lambda me, ok, call, body: evolve(ok(call, body),
            vendor_status=body["verdict"].lower().replace(" ", "_"))),
    row("R14", "KnownWarningsOnly", "A warning that nobody knows is left out.",
        warnings=without(lambda w: w.code is fm.WarningCode.OTHER)),
    row("R14", "UnknownWeightIsHarmless", "A weight that nobody knows is taken for information.",
        warnings=each_warning(lambda w: evolve(w, severity=fm.Severity.INFORMATION)
            if w.severity is fm.Severity.UNKNOWN else w)),
    http("R14", "UnknownTagsWeighLittle",
        "A warning that it does not know weighs little, also if the vendor says that it is grave.",
        warnings=each_warning(lambda w: evolve(w, severity=fm.Severity.WARNING)
            if w.tag not in CODES and w.severity is fm.Severity.ERROR else w)),
    row("R15", "ClampsTheImpossible", "250 of 100 becomes 100.",
        score=number(lambda told: min(told, 100.0))),
    row("R15", "ImpossibleScoreIsFree",
        "A score beyond the scale is taken for a refused request, which costs nothing.",
        score=number(lambda told: told if told <= 100 else refuse(
            fm.RequestRejected("It is not on its scale.", billing=fm.Billing(fm.Charged.NO))))),

    # Who pays, and who knows of it
    row("R16", "EverythingIsFree", "Results say that nothing was charged.",
        charged=lambda me, ok, call: fm.Charged.NO),
    row("R16", "UndeclaredPrice", "Does not declare that liveness costs money.",
        capabilities=can(billed_operations=frozenset({MATCH}))),
    row("R16", "MismatchesAreFree",
        "Says that a negative answer was not charged, where the vendor charges every answer.",
        result=lambda me, ok, call, body: evolve(ok(call, body), billing=fm.Billing(fm.Charged.NO))
            if ok(call, body).decision in (fm.Decision.NO_MATCH, fm.LivenessDecision.NOT_LIVE)
            else ok(call, body)),
    row("R16", "BilledForNoReason", "Says that it was charged, and not how it knows.",
        result=lambda me, ok, *said: evolve(ok(*said), billing=fm.Billing(fm.Charged.YES))),
    row("R17", "SwappedBilled", "A refused key was paid.",
        refusal=lambda me, ok, status: ok(status) if status != 401 else fm.AuthenticationFailed(
            "Refused.", billing=fm.Billing(fm.Charged.YES), status_code=401)),
    row("R17", "LostIsUnavailable", 'A lost answer is called "unavailable, try again".',
        lost=lambda me, ok: fm.VendorUnavailable("Please try again.")),
    row("R17", "BusyIsForGood", "A busy minute is told as an empty account.",
        refusal=lambda me, ok, status: ok(402 if status == 429 else status)),
    row("R17", "WaitsInThePast", 'The vendor\'s "wait" is read as a negative number of seconds.',
        refusal=lambda me, ok, status: changed(ok(status), retry_after_s=-5.0)),
    row("R17", "PromisesToFindWhatWasNotKept",
        "A lost answer is told as one that the records can tell, though the vendor keeps nothing.",
        lost=lambda me, ok: changed(ok(), reconcilable=True)),
    row("R18", "RepeatsLostCalls", "Asks again when the answer is lost.",
        exchange=lambda me, ok, call: ok(call) if lost(answer := ok(call)) else answer),
    row("R18", "AsksTwiceToBeSure", "Compares twice and believes the second answer.",
        exchange=lambda me, ok, call: (ok(quiet(call)), ok(call))[1]),
    row("R18", "RepeatsLostChecks",
        "A liveness check that was lost is made again: it changes nothing, but costs the same.",
        exchange=lambda me, ok, call: ok(call)
            if lost(answer := ok(call)) and call.operation is LIVENESS else answer),
    row("R18", "TriesTheGatewayAgain",
        "Repeats a call once after a gateway's 502, behind which it may have been carried out.",
        exchange=lambda me, ok, call: ok(quiet(call)) if (answer := ok(call))[0] == 502
            else answer),
    row("R19", "IgnoresTheDeadline", "Waits as long as the vendor likes.",
        exchange=lambda me, ok, call: ok(evolve(call, deadline_s=None))),
    row("R19", "ChecksWithoutHurry", "A liveness check has no deadline.",
        exchange=lambda me, ok, call: ok(call if call.operation is MATCH
            else evolve(call, deadline_s=None))),
    row("R20", "NeverTellsTheFirstByte", "`on_sent` is never called.",
        exchange=lambda me, ok, call: ok(quiet(call))),
    row("R20", "TellsTheFirstByteTooEarly", "`on_sent` is called before there is a connection.",
        exchange=lambda me, ok, call: (call.on_sent(), ok(quiet(call)))[1]),
    row("R20", "TellsItWithTheAnswer",
        "Tells that bytes have left once there is an answer, and not if none comes.",
        exchange=lambda me, ok, call: (answer := ok(quiet(call)),
            answer[2] or call.on_sent())[0]),
    row("R20", "ChecksLeaveUnnoticed",
        "Tells the first byte of comparisons, and forgets liveness checks.",
        exchange=lambda me, ok, call: ok(call if call.operation is MATCH else quiet(call))),

    # Keys and faces
    row("R21", "KeyInTheMessage", "The error quotes the key.",
        refusal=lambda me, ok, status: changed(ok(status),
            args=(f"The key {me.key.reveal()} was refused.",))),
    row("R21", "PictureInRaw", "The probe is kept in the raw body, as base64.",
        raw=lambda me, ok, call, body: ok(call, body) | {
            "probe": base64.b64encode(b"data:" + call.probe.data).decode()}),
    row("R21", "KeyInTheLog", "Logs its headers at DEBUG.",
        request=lambda me, ok, call: (logging.getLogger("reference").debug(
            "headers: %s", {"x-api-key": me.key.reveal()}), ok(call))[1]),
    row("R21", "KeyInTheNotes", "A note on the error tells which headers were sent.",
        refusal=lambda me, ok, status: (error := ok(status),
            error.add_note(f"sent with X-Api-Key: {me.key.reveal()}"))[0]),
    row("R21", "ChainHiddenNotCut",
        "Raises `from None`, behind which the context still holds the request.",
        lost=lambda me, ok: changed(ok(), __suppress_context__=True,
            __context__=ConnectionResetError(f"POST / X-Api-Key: {me.key.reveal()}"))),
    row("R21", "HeadersInTheExtra",
        "The log line is harmless, and the record carries the request's headers as an extra.",
        request=lambda me, ok, call: (logging.getLogger("reference").debug(
            "asked", extra={"headers": {"X-Api-Key": me.key.reveal()}}), ok(call))[1]),
    row("R21", "KeyInTheFrames", "The key is a local variable of a frame that raises.",
        answer=lambda me, ok, call: (key := {"X-Api-Key": me.key.reveal()}, ok(call), key)[1]),
    row("R21", "KeyInTheTimeOut", "Only the error of a deadline that ran out quotes the request.",
        late=lambda me, ok, call: fm.DeadlineExceeded(f"No answer to the key {me.key.reveal()}.")),
    row("R22", "KeepsDemographics", "Age and gender survive in raw under names of its own.",
        raw=lambda me, ok, call, body: {key: value for key, value in body.items()
            if key != "guesses"} | {"estimates": [{"years": guess["age"], "sex": guess["gender"]}
            for guess in body.get("guesses", ())]}),
    row("R22", "DeclaresNoDemographics",
        "Does not tell the core which keys of the body are guesses about people.",
        capabilities=can(demographic_keys=frozenset())),
    row("R22", "TellsTheAgeInAWarning", "A guess of the age is told in the text of a warning.",
        warnings=lambda me, ok, body: ok(body) + tuple(fm.ResultWarning(code=fm.WarningCode.OTHER,
            severity=fm.Severity.INFORMATION, text=f"looks {guess['age']} years old")
            for guess in body.get("guesses", ()))),
    row("R23", "ShowsItsKey", "A `repr` that helps with debugging.",
        __repr__=lambda me, ok: f"ShowsItsKey(key={me.key.reveal()!r})"),
    row("R23", "PicklesItsKey", "Can be sent to another process, key and all.",
        __reduce__=lambda me, ok: (ReferenceBackend, (None, me.key.reveal()))),
    row("R23", "PicklesAScrambledKey", "Can be pickled, with its key in base64.",
        __reduce__=lambda me, ok: (faults.reopened, (base64.b64encode(me.key.reveal().encode()),))),

    # What cannot be done
    row("R24", "DeclaresNoLimits", "Lets the vendor refuse large pictures.",
        capabilities=can(image_limits=ImageLimits())),
    row("R24", "CountsInKibibytes", "Declares 400 KiB where the vendor takes 400 kB.",
        capabilities=can(image_limits=evolve(LIMITS, max_bytes=400 * 1024))),
    row("R24", "TakesWebpToo", "Declares a kind of picture that the vendor refuses.",
        capabilities=can(image_limits=evolve(LIMITS,
            formats=LIMITS.formats | {fm.ImageFormat.WEBP}))),
    row("R25", "TakesAnyOptions", "Accepts options of any type, and so those of another vendor.",
        capabilities=can(options=object)),
    row("R25", "DropsRotate", "`rotate` is declared, accepted and forgotten.",
        request=asked_for(lambda call: {"rotate": False})),
    row("R25", "KeepsWhatItShouldNot", "The vendor is always asked to keep the call.",
        request=asked_for(lambda call: {"retention": fm.Retention.KEEP})),
    row("R25", "MetadataBecomesText",
        "Sends every value of the metadata as text, and what is nested as Python writes it.",
        request=asked_for(lambda call: {"metadata": call.metadata and {
            key: str(value) for key, value in call.metadata.items()}})),
    row("R25", "DropsItsOptions", "Options of its own are declared, accepted and forgotten.",
        request=asked_for(lambda call: {"options": None})),
    row("R25", "CutsTheReference", "Sends the first 24 characters of the caller's reference.",
        request=asked_for(lambda call: {"caller_ref": call.caller_ref and call.caller_ref[:24]})),
    row("R25", "ChecksDropTheReference",
        "Sends the caller's reference of comparisons, and of no liveness check.",
        request=asked_for(lambda call: {} if call.operation is MATCH else {"caller_ref": None})),
    row("R07", "WholeThresholds", "The threshold is sent as a whole number.",
        threshold=lambda me, ok, call: round(ok(call))),
    row("R07", "NoughtIsNoThreshold",
        "Asks `if threshold`, so that a caller's 0 becomes the default.",
        threshold=lambda me, ok, call: ok(call) or me.capabilities.default_for(call.operation)),
    row("R07", "HundredIsTooMuch",
        "Sends 99.99 for a caller's 100, because nobody would ever pass.",
        threshold=lambda me, ok, call: min(ok(call), 99.99)),

    # Threads, other processes, the end, and the vendor's records
    row("R28", "SharedBetweenThreads", "The call is kept on the object while it is made.",
        exchange=lambda me, ok, call: (noted(me, "current", call), time.sleep(0.0005),
            ok(me.current))[2]),
    row("R28", "OneFormForAllRequests",
        "All requests are written into one form, which another thread may overwrite on its way.",
        request=lambda me, ok, call: (form := remembered(me, "form", dict), form.clear(),
            form.update(ok(call)), time.sleep(0.003))[0]),
    row("R30", "OneSessionForAll", "Closing one backend closes the session that all share.",
        close=lambda me, ok: noted(me.vendor, "closed", True),
        exchange=lambda me, ok, call: ok(call) if "closed" not in vars(me.vendor)
            else (None, None, fm.VendorUnavailable("The session is closed."))),
    row("R30", "ClosesOnce", "Closing a second time is an error.",
        close=lambda me, ok: refuse(RuntimeError("already closed")) if "closed" in vars(me)
            else noted(me, "closed", True)),
    row("R30", "FindsWhatIsClosed", "What one has closed stays closed for the next one to open.",
        __init__=lambda me, ok, vendor, **how: (ok(vendor, **how), vars(me).update(
            late="closed" in vars(vendor)))[0],
        close=lambda me, ok: noted(me.vendor, "closed", True),
        exchange=lambda me, ok, call: (None, None, fm.VendorUnavailable("It is closed."))
            if me.late else ok(call)),
    row("R32", "TakesTheNewest",
        "The newest record of the kind must be the call's: nobody else asks at that moment.",
        record=lambda me, ok, wanted: faults.newest(me)),
    row("R32", "SignsItWithTheIdAskedFor",
        "Writes the id that is looked for on whatever is there.",
        record=lambda me, ok, wanted: faults.signed_as(faults.newest(me), wanted)),
    row("R32", "AnswersForAnother", "The right record, told of a call that nobody asked about.",
        reconcile=lambda me, ok, wanted, **how: evolve(ok(wanted),
            call=evolve(wanted, id="another"))),
    row("R32", "FindsByTheCallersReference",
        "Takes a record with the caller's reference where there is none with the id.",
        keep=lambda me, ok, call, result: (ok(call, result),
            me.vendor.records.update({("of", call.caller_ref): result})
            if call.retention is fm.Retention.KEEP else None),
        record=lambda me, ok, wanted: faults.signed_as(me.vendor.records.get(wanted.id,
            me.vendor.records.get(("of", wanted.caller_ref))), wanted)),
    row("R06", "SpoofsGoToAPerson",
        "A spoof is told as REVIEW, so that the comparison is made and paid for as well.",
        decision=lambda me, ok, *said: fm.LivenessDecision.REVIEW
            if ok(*said) is fm.LivenessDecision.NOT_LIVE else ok(*said)),
    row("R06", "ComparisonRidesOnTheCheck",
        "Who has passed the check is not compared any more: one visitor, one answer.",
        exchange=lambda me, ok, call: vars(me).pop(call.caller_ref)
            if call.operation is MATCH and call.caller_ref in vars(me)
            else (answer := ok(call), call.operation is LIVENESS and call.caller_ref
                and noted(me, call.caller_ref, answer))[0]),
    row("R06", "KnownVisitorsAreLive",
        "Who was checked once is not checked again: the answer of then is handed out.",
        exchange=lambda me, ok, call: ok(call)
            if call.operation is MATCH or call.caller_ref is None
            else remembered(me, call.caller_ref, lambda: ok(call))),
    row("R18", "GivesUpAfterRefusals", "After five refusals nobody is asked any more.",
        exchange=lambda me, ok, call: (answer := ok(call), answer[0] == 400
            and noted(me, "refused", vars(me).get("refused", 0) + 1))[0]
            if vars(me).get("refused", 0) < 5
            else (None, None, fm.RequestRejected("Refused too often.", status_code=400))),
    row("R42", "KeepsTheFirstReference",
        "The reference is uploaded once, and every later probe is compared with that one.",
        pictures=lambda me, ok, call: ok(call) if call.operation is not MATCH
            else ok(call) | {"reference": remembered(me, "", lambda: call.reference.data)}),
    row("R17", "RaisesOneErrorForAll",
        "The error of a status is made once and raised again and again.",
        refusal=lambda me, ok, status: remembered(me, status, lambda: ok(status))),
    row("R22", "DropsGuessesItself",
        "Demographics never leave the backend, whoever asks for them.",
        faces=lambda me, ok, *said: tuple(evolve(face, demographics=None) for face in ok(*said))),
    row("R22", "LosesTheGender", "Of the guesses only the age is handed on.",
        faces=lambda me, ok, *said: tuple(evolve(face, demographics=face.demographics
            and evolve(face.demographics, gender=None)) for face in ok(*said))),
    row("R22", "AgeInWholeYears", "Hands on a guess of the age without its fraction.",
        faces=lambda me, ok, body, place: ok({**body, "guesses": [
            {**guess, "age": int(guess["age"])} for guess in body.get("guesses", ())]}, place)),
    row("R37", "SpoolsThePicture",
        "The upload is read from a temporary file, which is deleted at once.",
        exchange=lambda me, ok, call: (written(call.probe.data), ok(call))[1]),
    row("R37", "RemembersOnDisk", "Keeps answers in a folder, to be asked less often one day.",
        keep=lambda me, ok, call, result: (ok(call, result),
            faults.in_a_folder(call.probe.digest, result.decision))),
    row("R37", "WritesInAnotherThread",
        "A thread of its own writes down every refusal, out of the caller's way.",
        refusal=lambda me, ok, status: (faults.in_a_thread(me, lambda: written(b"refused")),
            ok(status))[1]),
    row("R37", "ClosesWithAReport", "Writes down whom it has met when it is closed.",
        close=lambda me, ok: written(b"visitors: 7")),
    row("R37", "DumpsWhatItCannotRead",
        "An answer that cannot be read is written to a file for a moment.",
        result=lambda me, ok, call, body: ("verdict" in body or written(b"?"), ok(call, body))[1]),

    # What an answer of any status, with any body, says
    http("R38", "TakesAPageForAnOutage",
        "A gateway's page of markup is the vendor's own fault, so free and worth another try.",
        error=lambda me, ok, reply, call: fm.VendorUnavailable("Down.", status_code=reply.status)
            if reply.status in (500, 503, 504) and reply.body.startswith(b"<")
            else ok(reply, call)),
    http("R38", "TriesAgainAfterATimeOut",
        "A gateway that gave up waiting (504) is asked again, whatever became of the call.",
        error=lambda me, ok, reply, call: changed(error := ok(reply, call),
            retryable=error.retryable or reply.status == 504)),
    http("R38", "ForgetsTheStatus", "Every fault of the vendor's is told as 500.",
        error=lambda me, ok, reply, call: changed(ok(reply, call),
            status_code=min(reply.status, 500))),
    http("R38", "QuotesTheBody", "The error shows what was answered, all of it.",
        error=lambda me, ok, reply, call: changed(error := ok(reply, call),
            message=f"{error.message} It answered {reply.body!r}.")),
    http("R38", "WaitsForEver", "Whatever float() makes of the header is a time to wait.",
        error=lambda me, ok, reply, call: changed(error,
            retry_after_s=faults.read_in(reply.headers.get("Retry-After", "")))
            if isinstance(error := ok(reply, call), fm.RateLimited) else error),
    http("R38", "LostWithoutDoubt", "What may have been charged is told as not charged, in an "
        "error that says it is not known.",
        error=lambda me, ok, reply, call: changed(error, billing=fm.Billing(fm.Charged.NO))
            if isinstance(error := ok(reply, call), fm.OutcomeUnknown) and 520 <= reply.status < 530
            else error),
    http("R38", "BelievesAnAnswerOfAnyStatus",
        'Every 2xx with an object in it is a pass: the vendor "accepted" it.',
        parse_non_200=lambda me, ok, call, reply: passed(me, call)
            if 200 <= reply.status < 300 else None),
    http("R39", "TrueIsOne", "A flag where the score stands is read as 1 or 0.",
        body=instead_of_number(lambda told: float(told) if isinstance(told, bool) else told)),
    http("R39", "DigitsAreANumber",
        "A text where the score stands is read as the number that it spells, without a word.",
        body=instead_of_number(lambda told: float(told) if isinstance(told, str) else told)),
    http("R39", "NothingIsNought", "An empty list or object where the score stands is read as 0.",
        body=instead_of_number(lambda told: 0.0 if told in ([], {}) else told)),
    http("R39", "BeyondIsTheBest",
        "NaN and what is too large for a float become the best of all scores.",
        body=instead_of_number(lambda told: 100.0
            if isinstance(told, float) and not math.isfinite(told) else told)),
    http("R39", "PercentSignIsFine",
        'Takes "93.5 %" for 93.5, as an older edition of the vendor wrote it.',
        body=instead_of_number(lambda told: float(told[:-1])
            if isinstance(told, str) and told.endswith("%") else told)),
    http("R38", "NoVerdictIsYes", "A body without a verdict is read as a yes.",
        body=missing(verdict="yes")),
    http("R38", "NoScoreIsTheBest", "A body without a score is read as 100.",
        body=missing(score=100.0)),
    http("R38", "LooksForYesInTheWord", "Any word with a yes in it is one.",
        decision=lambda me, ok, call, body, score: ok(call,
            {"verdict": "yes" if "yes" in body["verdict"] else body["verdict"]}, score)),
    http("R38", "HighScoreOverrulesNo",
        "Passes where the score is above the threshold, although the vendor said no.",
        decision=lambda me, ok, call, body, score: PASS[call.operation]
            if body["verdict"] == "no" and score and score.value > me.threshold(call)
            else ok(call, body, score)),
    http("R38", "NoObjectIsNoAnswer",
        "A 200 that is no JSON object was never an answer: not charged, try again.",
        body=lambda me, ok, reply: body if isinstance(body := ok(reply), dict)
            else refuse(fm.VendorUnavailable("The vendor did not answer."))),
    http("R38", "RemembersWarnings",
        "The warnings of one answer are still in the list when the next is read.",
        warnings=lambda me, ok, body: (noted(me, "kept", (*vars(me).get("kept", ()), *ok(body))),
            me.kept)[1]),
    http("R38", "EmptiesWhatItRead",
        "Keeps each decoded body, and takes the warnings out of it: read again it has none.",
        body=lambda me, ok, reply: remembered(me, reply.body, lambda: ok(reply)),
        warnings=lambda me, ok, body: (ok(body), body.update(warnings=[]))[0]),
    http("R38", "ReadsByPosition", "The first value of a body is the verdict, the second the "
        "score, whatever they are called.",
        body=lambda me, ok, reply: ok(reply) if "warnings" not in ok(reply) else dict(zip(
            ("verdict", "score", "warnings", "faces", "id", "guesses"), ok(reply).values(),
            strict=False))),
    http("R38", "WarningsAsASet",
        "Warnings go through a set: doubles are lost, and the order is another in each process.",
        warnings=lambda me, ok, body: tuple(set(ok(body)))),

    # What reaches the vendor
    row("R42", "SwappedPictures",
        "The reference goes where the probe belongs, and the other way round.",
        pictures=lambda me, ok, call: dict(zip(ok(call), [*ok(call).values()][::-1], strict=True))),
    row("R42", "ReferenceSentTwice", "The reference is compared with itself: everybody matches.",
        pictures=lambda me, ok, call: ok(call) | {"probe": [*ok(call).values()][-1]}),
    row("R42", "ProbeSentTwice", "A call about one picture sends it as the reference, too.",
        pictures=lambda me, ok, call: {"reference": call.probe.data} | ok(call)),
    row("R42", "OrientationDropped",
        "A turned picture is encoded anew, without what says how it is turned.",
        pictures=each_picture(faults.without_orientation)),
    row("R42", "KnowsOnlyQuarterTurns",
        "Turns pictures upright itself, and does not know the mirrored orientations.",
        pictures=each_picture(faults.without_mirrors)),
    row("R42", "SmallerPng", "A PNG is halved on the way, since it is so large.",
        pictures=each_picture(faults.halved)),
    row("R44", "KeepsBehindOnesBack", "Every call is kept, whatever the vendor is told.",
        keep=lambda me, ok, call, result: ok(evolve(call, retention=fm.Retention.KEEP), result)),
    row("R44", "TellsARecordThatIsNot", "The id of the answer is told as that of a record.",
        session=lambda me, ok, call, body: body["id"]),
    row("R44", "KeepsWhatHasMetadata",
        "Asks for KEEP where there is metadata, which the vendor takes for kept calls alone.",
        request=asked_for(lambda call: {"retention": fm.Retention.KEEP} if call.metadata else {})),
    row("R44", "KeepsAfterALoss", "Once an answer was lost, it asks the vendor to keep every "
        "call, to find the next one.",
        lost=lambda me, ok: (noted(me, "careful", True), ok())[1],
        request=lambda me, ok, call: ok(call) | ({"retention": fm.Retention.KEEP}
            if "careful" in vars(me) else {})),
    row("R07", "AnotherRuleIsTold", "The default is told as if it were passed by equality.",
        result=told(lambda threshold: evolve(threshold, rule=fm.ThresholdRule.AT_LEAST))),
    row("R07", "DefaultIsTheCallers", "The default is told as if the caller had chosen it.",
        result=told(lambda threshold: evolve(threshold, source=fm.ThresholdSource.CALLER))),
    row("R07", "ThresholdIsNotTold",
        "The vendor is said to have decided by a threshold of its own.",
        result=told(lambda _: fm.Threshold(
            None, fm.ThresholdRule.VENDOR, fm.ThresholdSource.VENDOR))),
    row("R07", "AnotherThresholdIsSent", "The default that is sent is not the one that is told.",
        threshold=lambda me, ok, call: ok(call) - 5.0 * by_default(call)),
    row("R07", "DefaultIsNeverSent",
        "Without a caller's threshold none is sent: the vendor's default of today decides.",
        request=lambda me, ok, call: {word: value for word, value in ok(call).items()
            if word != "threshold" or not by_default(call)}),
    row("R07", "ThresholdAppliedTwice",
        "The vendor decides by the caller's threshold, and the default decides once more.",
        decision=lambda me, ok, call, body, score: ok(call, {**body, "verdict": "no"}, score)
            if score and score.value <= me.capabilities.default_for(call.operation)
            else ok(call, body, score)),
    row("R07", "SaysTheVendorSetIt", "Tells the caller's threshold as one that the vendor chose.",
        result=lambda me, ok, call, body: evolve(ok(call, body), threshold=call.threshold
            and evolve(call.threshold, source=fm.ThresholdSource.VENDOR))),

    # Settings, and what is told of them
    http("R31", "ShowsTheKeyThatIsOdd", "A key of another form is refused, and quoted.",
        __attrs_post_init__=lambda me, ok: (ok(), me.api_key.reveal().startswith("reference-")
            or refuse(fm.ConfigurationError(f"{me.api_key.reveal()!r} is no key of ours.")))[0]),
    http("R31", "ShowsTheValue", "What is no number is told by float() itself, value and all.",
        __attrs_post_init__=lambda me, ok: (isinstance(me.patience_s, str)
            and float(me.patience_s), ok())[1]),
    http("R31", "TakesTextForANumber", 'Takes "30" for 30 seconds.',
        __attrs_post_init__=lambda me, ok: (noted(me, "patience_s", float(me.patience_s)),
            ok())[1]),
    http("R31", "TrueIsASecond", "Takes true for a number of seconds, as Python does.",
        __attrs_post_init__=lambda me, ok: None if me.patience_s is True else ok()),
    http("R31", "TakesAnyAddress", "Key and faces go wherever base_url says.",
        address=property(lambda me: check_base_url(me.base_url, allow_base_url=True,
            allowed_hosts=me.allowed_hosts))),
    http("R31", "TravelsInTheOpen", "Key and faces may go to the vendor without TLS.",
        address=property(lambda me: check_base_url(me.base_url, allow_insecure=True,
            allowed_hosts=me.allowed_hosts))),
    http("R31", "DeclaresNoHosts",
        "Does not say which hosts are the vendor's, so that none can be told from a stranger's.",
        allowed_hosts=frozenset(),
        address=property(lambda me: check_base_url(me.base_url, allow_base_url=True,
            allowed_hosts=()))),
    row("R47", "DiagnoseAsks", "Makes a call to see whether the key works.",
        diagnose=lambda me, ok: (me.vendor.ask({"key": me.key.reveal()}, 1.0),
            {**ok(), "key": "tried"})[1]),
    row("R47", "DiagnoseNeedsTheVendor",
        "Fails when the vendor cannot be reached, which is when it is asked for.",
        diagnose=lambda me, ok: (me.vendor.connect(), {**ok(), "vendor": "reached"})[1]),
    row("R47", "DiagnoseShowsTheLastRequest", "Tells what was sent last, key and all.",
        request=lambda me, ok, call: (noted(me, "last", f"{me.key.reveal()} {call.operation}"),
            ok(call))[1],
        diagnose=lambda me, ok: {**ok(), "last request": vars(me).get("last", "none")}),
    row("R47", "DiagnoseShowsItsAuthorization",
        "Tells the header that it sends, in which the key is base64.",
        diagnose=lambda me, ok: ok() | {"authorization": "Basic " + base64.b64encode(
            f"reference:{me.key.reveal()}".encode()).decode()}),
)
# fmt: on

#: By name.
MUTANTS = {one.name: one for one in (*ROWS, *stricter.ROWS, *sabotage.ROWS, *CLASSES)}
