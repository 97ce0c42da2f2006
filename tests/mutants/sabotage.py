"""The faults that somebody put into plug-ins on purpose, each with those who are made so.

What was a mutant before is only named in `SABOTAGE`. Of the others most are of the reference over
HTTP, and those that wait badly of the one whose vendor answers later.
"""

import logging
import time

import attrs
from mutants.faults import changed, refuse, remembered
from mutants.making import caught_by, http, row
from mutants.reference import (
    PASS,
    PLACES,
    HttpReference,
    JobReference,
    JobSimulator,
    can,
)
from mutants.stricter import GLOBALS

from facematch_core import Environment, VendorUnavailable

evolve = attrs.evolve

#: Opened at its own host, so that only the pattern beside it is wrong.
HOSTS = HttpReference.allowed_hosts


def job(rule, name, fault, **changes):
    """A mutant of the reference whose vendor answers later."""
    return row(rule, name, fault, base=JobReference, simulator=JobSimulator, **changes)


def other(place):
    """The other picture."""
    return PLACES[place == PLACES[0]]


@caught_by("R19")
class SleepsInAStep(HttpReference):
    """A step sleeps for longer than a call may take."""

    def steps(self, call):
        time.sleep(1.1)
        return (yield from super().steps(call))


# fmt: off
ROWS = (
    http("R01", "SaysItIsProduction", "Results name an environment that the backend is not set to.",
        result=lambda me, ok, call, body: evolve(ok(call, body),
            environment=Environment.PRODUCTION)),
    http("R03", "Hundredths", "A score of 93.5 of 100 is told as 0.935.",
        score=lambda me, ok, call, told: ok(call, told and told / 100)),
    http("R11", "NobodyMatches", "Whoever shows no face is let in.",
        unscored=lambda me, ok, call, decision: PASS[call.operation]),
    http("R17", "PostsForNothing", "Its requests are declared as free, which the vendor charges.",
        post=lambda me, ok, path, **body: evolve(ok(path, **body), charges=0)),
    row("R17", "GatewaysAreFree",
        "A gateway's 502 is told as an outage, which costs nothing and may be tried again.",
        refusal=lambda me, ok, status: ok(503 if status == 502 else status)),
    http("R18", "TriesAgainWithoutCredit", "Sends the call again when the account is empty.",
        should_relogin=lambda me, ok, request, reply: reply.status == 402),
    http("R18", "TriesAgainWhenBusy", "Sends the call again at once when the vendor is busy.",
        should_relogin=lambda me, ok, request, reply: reply.status == 429),
    row("R21", "QuotesHalfTheKey", "An error quotes the beginning of the key.",
        refusal=lambda me, ok, status: changed(ok(status),
            message=f"The key {me.key.reveal()[:16]}... was refused.")),
    row("R21", "LogsThePicture", "Logs what it sends, pictures and all, at DEBUG.",
        request=lambda me, ok, call: (words := ok(call),
            logging.getLogger("reference").debug("sends %s", words))[0]),
    http("R18", "OneAddressForTheProcess", "The first address is that of every backend.",
        post=lambda me, ok, path, **body: (made := ok(path, **body)) and evolve(made,
            url=made.url.replace(me.address, GLOBALS.setdefault("address", me.address)))),
    row("R28", "KeepsEveryCall", "Keeps every call, pictures and all, for as long as it lives.",
        request=lambda me, ok, call: (remembered(me, "calls", list).append(call), ok(call))[1]),
    http("R31", "AnyHostOfDotCom", "Every host whose name ends in .com counts as the vendor's.",
        allowed_hosts=HOSTS | {"*.com"}),
    http("R31", "AnyHostWithADot", "Every host at all counts as the vendor's.",
        allowed_hosts=HOSTS | {"*.*", "*.*.*"}),
    http("R31", "AnyHostOfACountry", "Every company of a country counts as the vendor.",
        allowed_hosts=HOSTS | {"*.co.uk"}),

    # Where faces are
    row("R48", "FacesSwapped", "The faces of the reference are told as those of the probe.",
        faces=lambda me, ok, body, place: ok(body, other(place))),
    row("R48", "TheFaceIsThePicture", "A face is wherever the picture is.",
        box=lambda me, ok, edges: ok((0.0, 0.0, 1.0, 1.0))),
    row("R48", "PixelsForParts", "Edges in pixels are told as parts of the picture's sides.",
        box=lambda me, ok, edges: ok([96 * edge for edge in edges])),
    row("R48", "FacesNeverGiven", "Declares that it says where faces are, and never does.",
        faces=lambda me, ok, *said: tuple(evolve(face, box=None) for face in ok(*said))),
    row("R48", "FacesUndeclared", "Says where faces are, and does not declare it.",
        capabilities=can(reports_faces=False)),

    # A vendor that answers later
    job("R01", "AsksForTheFirstJob", "Every call asks for the job that the first one began.",
        poll=lambda me, ok, url: ok(remembered(me, "job", lambda: url))),
    job("R28", "AsksForTheLatestJob", "Threads ask for the job that any of them began last.",
        vendor_id=lambda me, ok, reply: (reply.status == 202 and vars(me).update(
            latest=f"{me.address}{reply.headers['Location']}"), ok(reply))[1],
        poll=lambda me, ok, url: ok(me.latest)),
    job("R17", "GivesUpAtABusyPoll",
        "A job that was paid for is given up at the first poll that is refused, for another try.",
        refused=lambda me, ok, refusal: refuse(VendorUnavailable("Try again."))),
    job("R17", "LosesItsJob", "The error of a job that was refused at a poll does not name it.",
        vendor_id=lambda me, ok, reply: None),
    job("R19", "PollsForEver", "Without a deadline a job that is never done is asked for for ever.",
        __attrs_post_init__=lambda me, ok: (ok(), vars(me).update(call_timeout_s=1e12))[0]),
    job("R19", "SleepsBetweenPolls", "Sleeps before each poll, whatever is left of the deadline.",
        poll=lambda me, ok, url: (time.sleep(0.01), ok(url))[1]),
    job("R32", "FindsTheLatestJob", "Looks for the job that was begun last, whatever it is asked.",
        vendor_id=lambda me, ok, reply: vars(me).update(latest=ok(reply)) or ok(reply),
        reconcile=lambda me, ok, call, **how: ok(evolve(call, vendor_id=me.latest))),
    job("R32", "GivesItsJobsUp", "A job that goes on is told as one that nobody can ask for.",
        reconcilable=lambda me, ok, call: False),
)
# fmt: on

#: What was done to a plug-in, and the mutants to which that is done.
SABOTAGE = {
    "A score of 93.5 as 0.935": ["Hundredths"],
    "A score that is rounded": ["TwoDecimalsWillDo"],
    "A score of 250 that is clamped": ["ClampsTheImpossible"],
    "A gateway's 502 that is free": ["GatewaysAreFree", "TakesAPageForAnOutage"],
    "Every call is free": ["EverythingIsFree"],
    "A request that is declared as free": ["PostsForNothing", "UploadsAreFree"],
    "A part of a secret in an error": ["QuotesHalfTheKey"],
    "Key and picture in the log": ["KeyInTheLog", "LogsThePicture"],
    "Repeated after a 402": ["TriesAgainWithoutCredit"],
    "Repeated after a 429": ["TriesAgainWhenBusy"],
    "Sent twice": ["AsksTwiceToBeSure"],
    "Pictures that are swapped": ["SwappedPictures"],
    "The deadline is ignored in the client": ["ItsOwnClientHasNoDeadline"],
    "An unknown status that is swallowed": ["UnknownStatusByScore", "TidiesTheVendorsWord"],
    "One key for the process": ["OneKeyForTheProcess"],
    "One address for the process": ["OneAddressForTheProcess"],
    "An answer that is kept": ["RemembersTheAnswer"],
    "A call that threads share": ["SharedBetweenThreads"],
    "The threshold is ignored": ["ForgetsTheThreshold"],
    "Above for at least": ["AtLeastForAbove", "DeclaresTheOtherRule"],
    "A false threshold is named": ["AnotherThresholdIsSent", "SaysTheVendorSetIt"],
    "No face is no match": ["NoFaceIsMismatch"],
    "No face is a match": ["NobodyMatches"],
    "A second face is not told": ["DropsInformation", "CountsFacesOfComparisonsOnly"],
    "A file is written": ["SpoolsThePicture"],
    "A false environment": ["SaysItIsProduction"],
    "The id of the call before": ["IdOfTheCallBefore"],
    "Faces that are swapped": ["FacesSwapped"],
    "False boxes": ["TheFaceIsThePicture", "PixelsForParts"],
    "Faces declared and never given": ["FacesNeverGiven"],
    "Faces given and not declared": ["FacesUndeclared"],
    "Hosts that are anybody's": ["AnyHostOfDotCom", "AnyHostWithADot", "AnyHostOfACountry"],
    "Every call is kept in memory": ["KeepsEveryCall"],
    "A step that sleeps for seconds": ["SleepsInAStep"],
    "A poller that never ends": ["PollsForEver"],
    "A job that is lost at the first 429 or 503": ["GivesUpAtABusyPoll"],
    "The job's id is missing from the error": ["LosesItsJob"],
    "Sleeping past the deadline": ["SleepsBetweenPolls"],
}
