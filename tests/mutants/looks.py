"""Mutants of the reference with hosted sessions."""

import json
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import uuid4

from mutants.faults import evolve, remember
from mutants.making import caught_by, vendor
from mutants.reference import LIMITS
from mutants.sessions import (
    FLOW,
    NOT_CHARGED,
    PASSED,
    START,
    STATES,
    KeepsTheFace,
    LateCopies,
    LimitsReferences,
    LinksWithTokens,
    ListsSessions,
    LooksAtReferences,
    SessionReference,
    ShowsNoFlow,
    SignsTheTimeAlone,
    State,
)

import facematch_core as fm
from facematch_core.backend import DeleteRequest, ImageLimits
from facematch_core.backend import session_types as hosted
from facematch_core.base.deadline import Deadline

PAID = fm.Billing(fm.Charged.YES)


def offers(**changes):
    return evolve(SessionReference.session_capabilities, **changes)


STORES_NO_TERMS = offers(stores=frozenset({hosted.VendorCopy.ID, hosted.VendorCopy.SUBJECT}))


def another_start(backend):
    return backend.post("sessions", json={**dict.fromkeys(START, "-"), "key": "-"})


# R52: A session lets its person in.


@caught_by("R52")
class ReadDropsTheLink(SessionReference):
    """A reading does not show the link again."""

    misread: ClassVar = {"access": None}


@caught_by("R52")
class LooksBeforeItOpens(SessionReference):
    """A session in which nobody was shows a check."""

    def checks(self, body, request):
        return super().checks({**body, "items": body["items"] or PASSED}, request)


@caught_by("R52")
class SaysDoneForEachWord(SessionReference):
    """The vendor's word is reported as one word of ours."""

    misread: ClassVar = {"vendor_status": "done"}


@caught_by("R52")
class NoAccess(SessionReference):
    """A start gives no link."""

    def started(self, body):
        return evolve(super().started(body), access=None)


@caught_by("R52")
class OpenIsLooked(SessionReference):
    """A session in which nobody was is looked at by a person."""

    def state(self, body):
        if body["status"] == "open":
            return State.PROCESSING
        return super().state(body)


@caught_by("R52")
class ReadIsAStart(SessionReference):
    """Each reading makes another session."""

    def read_steps(self, request):
        yield another_start(self)
        return (yield from super().read_steps(request))


@caught_by("R52")
class NeverApproved(SessionReference):
    """What the vendor approved is not approved."""

    misread: ClassVar = {"approved": False}


@caught_by("R52")
class AskedBackForEver(SessionReference):
    """The vendor is said to wait for whoever does not come."""

    misread: ClassVar = {"is_asked_back": True}


@caught_by("R52")
class DropsWhereToGoBack(SessionReference):
    """The back of a start is taken and forgotten."""

    forgotten_field = "back"

    def words_of(self, request):
        return super().words_of(request) | {self.forgotten_field: None}


@caught_by("R52")
class DropsTheLanguage(DropsWhereToGoBack):
    """The language of a start is taken and forgotten."""

    forgotten_field = "language"


@caught_by("R52")
class LinkLastsAWeek(SessionReference):
    """A link works for a week, whatever the session."""

    def words_of(self, request):
        return super().words_of(request) | {"lasts_s": 604800.0}


@caught_by("R52")
class SaysThatLinksWorkOnce(SessionReference):
    """A link is said to work once, and read again."""

    session_capabilities = offers(link_works_once=True)


@caught_by("R52")
class ResumesNothing(SessionReference):
    """An expired session is said to go on, and has no link."""

    session_capabilities = offers(resumes_expired=True)

    def reading(self, body, request):
        reading = super().reading(body, request)
        ends_at = reading.created_at + timedelta(seconds=body["lasts_s"])
        if request.clock.now() > ends_at:
            return evolve(reading, access=None)
        return reading


@caught_by("R52")
class LinkIsAToken(SessionReference):
    """The link of a start is handed over as a token."""

    def started(self, body):
        return evolve(
            super().started(body), access=hosted.SessionAccess(token=fm.Secret(body["link"]))
        )


@caught_by("R52")
class ReadShowsAnotherPage(SessionReference):
    """A reading shows a page that the start did not."""

    def reading(self, body, request):
        page = {"page": body["session"]}
        access = hosted.SessionAccess(link=fm.Secret(body["link"]), page=page)
        return evolve(super().reading(body, request), access=access)


@caught_by("R52")
class NobodyIsAskedBack(SessionReference):
    """A session that the vendor handed back expires."""

    misread: ClassVar = {"is_asked_back": False}


@caught_by("R52")
class SendsElsewhere(SessionReference):
    """The URL to return to is sent in another field."""

    def words_of(self, request):
        return {**super().words_of(request), "back": None, "next": request.return_url}


@caught_by("R52")
class SpeaksElsewhere(SessionReference):
    """The language is sent in another field."""

    def words_of(self, request):
        return {**super().words_of(request), "language": "en", "tongue": request.language}


@caught_by("R52")
class DeclaresNoDeletion(SessionReference):
    """That the vendor deletes a session is not declared."""

    session_capabilities = offers(can_delete=False)


@caught_by("R52")
class CountsMinutes(SessionReference):
    """A link lasts a sixtieth of its session's time."""

    def words_of(self, request):
        words = super().words_of(request)
        return {**words, "lasts_s": words["lasts_s"] / 60}


@caught_by("R52", LimitsReferences)
class DeclaresNoLimit(SessionReference):
    """A reference of any size is sent to a vendor with a limit."""

    session_capabilities = offers(reference_limits=ImageLimits())


# R53: A lost start is unknown.


@caught_by("R53")
class EachStartIsNew(SessionReference):
    """A start that is repeated makes another session."""

    def key_of(self, record):
        return uuid4().hex


@caught_by("R53", vendor(LooksAtReferences, most_bytes=LIMITS.max_bytes // 2))
class RefusesALargeReference(SessionReference):
    """A reference of half the declared bytes is refused."""


@caught_by("R53")
class AnySuccessIsASession(SessionReference):
    """An answer in another form is a session all the same."""

    def started(self, body):
        return super().started({"session": "some", "link": self.service_url, **body})


@caught_by("R53")
class GatewayIsFree(SessionReference):
    """A start that met a broken gateway is free."""

    def error(self, reply, call):
        if reply.status == 502:
            return fm.VendorUnavailable("Down.", billing=NOT_CHARGED)
        return super().error(reply, call)


@caught_by("R53")
class StartsAgain(SessionReference):
    """A start whose answer is lost is made again."""

    def start_session(self, request):
        try:
            return super().start_session(request)
        except fm.OutcomeUnknown:
            return super().start_session(request)


@caught_by("R53")
class FindsNothing(SessionReference):
    """Looks for a lost session by another name."""

    def find(self, record):
        return f"of-{record.subject_ref}"


@caught_by("R53")
class OneKeyAPerson(SessionReference):
    """The key of a start is whom it is for."""

    session_capabilities = offers(finds_by_record=False)

    def reading(self, body, request):
        reading = super().reading(body, request)
        return evolve(reading, record_id=request.record.id, terms=request.record.terms)

    def key_of(self, record):
        return record.subject_ref


@caught_by("R53", ListsSessions)
class LooksAmongTheNewest(SessionReference):
    """A lost session is found only among the newest of all."""

    def read_steps(self, request):
        record = request.record
        if record.session_id is None:
            newest = yield self.get("newest")
            session_id = "none"
            for body in newest.json()["sessions"]:
                if body["id"] == record.id:
                    session_id = body["session"]
                    break
            request = evolve(request, record=evolve(record, session_id=session_id))
        return (yield from super().read_steps(request))


@caught_by("R53")
class NoCreditIsAWrongField(SessionReference):
    """A start without credit is a refused request."""

    def error(self, reply, call):
        if reply.status == 402:
            return fm.RequestRejected("No.", status_code=402, billing=NOT_CHARGED)
        return super().error(reply, call)


@caught_by("R53")
class NoCreditIsCharged(SessionReference):
    """A start without credit was charged."""

    def error(self, reply, call):
        if reply.status == 402:
            return fm.InsufficientCredit("No.", status_code=402, billing=PAID)
        return super().error(reply, call)


@caught_by("R53")
class TooSoonIsRejected(SessionReference):
    """A documented refusal of a start is another error."""

    def too_soon(self, reply):
        return fm.RequestRejected("No.", status_code=409, billing=NOT_CHARGED)


@caught_by("R53")
class TooSoonIsCharged(SessionReference):
    """A documented refusal of a start was charged."""

    def too_soon(self, reply):
        return fm.RateLimited("Wait.", status_code=409, retry_after_s=7.0, billing=PAID)


@caught_by("R53")
class FindsTheNewest(SessionReference):
    """Of two sessions of a record, the newest is read, which nobody has opened."""

    session_capabilities = offers(start_is_repeatable=False)

    def key_of(self, record):
        return uuid4().hex


@caught_by("R53", ListsSessions)
class DeletesOneOfTwo(FindsTheNewest):
    """Of two sessions of a record, one is deleted, and the other one keeps its film."""

    def words_of(self, request):
        return {**super().words_of(request), "film": 1}

    def read_steps(self, request):
        record = request.record
        if record.session_id is None:
            newest = yield self.get("newest")
            own = [body for body in newest.json()["sessions"] if body["id"] == record.id]
            own.sort(key=lambda body: body["status"] != "yes")
            session_id = own[0]["session"] if own else self.find(record)
            request = evolve(request, record=evolve(record, session_id=session_id))
        return (yield from super().read_steps(request))


# R54: The handoff stays in the session.


@caught_by("R54")
class LinkIsAFact(SessionReference):
    """The record has the link."""

    def started(self, body):
        return evolve(super().started(body), vendor={"way": body["link"]})


@caught_by("R54", LinksWithTokens)
class TokenOfTheQueryInRaw(SessionReference):
    """`raw` of a start has the token in the link's query."""

    def started(self, body):
        raw = {"auth": body["link"].rpartition("=")[2]}
        return evolve(super().started(body), raw=raw)


@caught_by("R54", LinksWithTokens)
class TokenOfThePathInRaw(SessionReference):
    """`raw` of a start has the token in the link's path."""

    def started(self, body):
        path, _, _ = body["link"].partition("?")
        return evolve(super().started(body), raw={"way": path.rpartition("/")[2]})


@caught_by("R54")
class FilmInRawOfAStart(SessionReference):
    """`raw` of a start has the address of a film."""

    def started(self, body):
        return evolve(super().started(body), raw={"film": f"{self.service_url}/films/7"})


@caught_by("R54")
class ShowsTheLastLink(SessionReference):
    """The backend itself shows the link of a start."""

    last_link = ""

    def started(self, body):
        self.last_link = body["link"]
        return super().started(body)

    def __repr__(self):
        return f"<{self.name}: {self.last_link}>"


@caught_by("R54")
class AddressInRaw(SessionReference):
    """`raw` has the address of the person's film."""

    def reading(self, body, request):
        return evolve(super().reading(body, request), raw={"film": [f"{self.service_url}/films/7"]})


@caught_by("R54")
class NamesInRaw(SessionReference):
    """`raw` is whatever the vendor shows, but link and pictures."""

    def reading(self, body, request):
        raw = {name: value for name, value in body.items() if name not in ("link", "items")}
        return evolve(super().reading(body, request), raw=raw)


@caught_by("R54")
class KeepsAFilm(SessionReference):
    """The vendor is asked to keep a film of each person."""

    def words_of(self, request):
        return super().words_of(request) | {"film": 1}


@caught_by("R54")
class TellsThePurpose(SessionReference):
    """The vendor learns what a session is for."""

    def start_steps(self, request):
        steps = super().start_steps(request)
        reply = yield evolve(next(steps), params={"why": request.record.purpose})
        try:
            steps.send(reply)
        except StopIteration as end:
            return end.value


# R55: Only a face that passed is a yes.


@caught_by("R55")
class OneAttemptCounts(SessionReference):
    """A session that passes at the second attempt is a no."""

    def reading(self, body, request):
        if body["attempts"] < 2:
            return super().reading(body, request)
        return evolve(super().reading(body, request), approved=False)


@caught_by("R55")
class LiveFromALittleBelow(SessionReference):
    """A face is live from just below the threshold."""

    def live_from(self, record):
        return super().live_from(record) - 0.005


@caught_by("R55")
class ApprovedIsEnough(SessionReference):
    """An approval without an item is a pass."""

    def checks(self, body, request):
        if body["status"] == "yes" and not body["items"]:
            body = {**body, "items": PASSED}
        return super().checks(body, request)


@caught_by("R55")
class AnyDecisionIsAYes(SessionReference):
    """Whether the vendor approved is not read."""

    misread: ClassVar = {"approved": None}


@caught_by("R55")
class SucceededIsLive(SessionReference):
    """A check that ran found a live face, whatever its number."""

    def check(self, item, request):
        if item["kind"] != "live":
            return super().check(item, request)
        check = super().check({**item, "score": 99.0}, request)
        return evolve(check, result=evolve(check.result, score=None))


@caught_by("R55")
class WaitsForWhatItDoesNotKnow(SessionReference):
    """A word that nobody knows is an open session."""

    def state(self, body):
        return STATES.get(body["status"], State.PENDING)


@caught_by("R55")
class UnfinishedIsReviewed(SessionReference):
    """An item that is not finished is for a person."""

    def check(self, item, request):
        check = super().check(item, request)
        if item["word"] != "waits":
            return check
        return evolve(check, result=evolve(check.result, decision=fm.Decision.REVIEW))


@caught_by("R55")
class ItsOwnThreshold(SessionReference):
    """A live face begins where the backend says."""

    def live_from(self, record):
        return 60.0


@caught_by("R55")
class NoDocumentIsRead(SessionReference):
    """Whose document it is, is not read."""

    def holders(self, body):
        return ()


@caught_by("R55")
class NoBirthDateIsRead(SessionReference):
    """The date of birth on a document is not read."""

    def holders(self, body):
        return [evolve(of, date_of_birth=None) for of in super().holders(body)]


@caught_by("R55")
class OneNameIsRead(SessionReference):
    """Of first and last name one is read."""

    word_that_is_read = 0

    def holders(self, body):
        for holder in super().holders(body):
            yield evolve(holder, name=holder.name.split()[self.word_that_is_read])


@caught_by("R55")
class TheOtherNameIsRead(OneNameIsRead):
    """Of first and last name the other is read."""

    word_that_is_read = 1


@caught_by("R55")
class NameIsAWarning(SessionReference):
    """The name on a document is told in a warning."""

    def reading(self, body, request):
        warning = fm.ResultWarning(
            code=fm.WarningCode.OTHER,
            severity=fm.models.Severity.INFORMATION,
            text=body["holder"],
        )
        return evolve(super().reading(body, request), warnings=[warning])


@caught_by("R55")
class NamesNoReason(SessionReference):
    """A warning names the vendor's word for another person, and its code says nothing."""

    def check(self, item, request):
        check = super().check(item, request)
        warning = fm.ResultWarning(code=fm.WarningCode.OTHER, tag=item["word"])
        return evolve(check, result=evolve(check.result, warnings=(warning,)))


@caught_by("R55")
class DeclaresAScore(SessionReference):
    """A score of matches is declared, and never given."""

    def check(self, item, request):
        if item["kind"] == "match":
            return super().check({**item, "score": None}, request)
        return super().check(item, request)


@caught_by("R55")
class WritesTheStatusLarge(SessionReference):
    """The vendor's word is reported in capitals."""

    def reading(self, body, request):
        return evolve(super().reading(body, request), vendor_status=body["status"].upper())


@caught_by("R55")
class ReportsWhatWasNotChecked(SessionReference):
    """A check that was not made has no verdict."""

    def checks(self, body, request):
        if body["status"] == "yes" and not body["items"]:
            unfinished = {"kind": "match", "word": "waits", "score": None}
            body = {**body, "items": [unfinished]}
        return super().checks(body, request)


# R56: Another session is refused.


@caught_by("R56")
class GoneIsUnavailable(SessionReference):
    """A session that is gone is said to be unavailable."""

    def missing(self, reply, call):
        return fm.VendorUnavailable("None.", status_code=404)


@caught_by("R56")
class EchoesTheRecord(SessionReference):
    """What the vendor keeps is not looked at."""

    def reading(self, body, request):
        reading = super().reading(body, request)
        return evolve(reading, record_id=request.record.id, terms=request.record.terms)


@caught_by("R56")
class EchoesTheId(SessionReference):
    """Whose answer it is, is not looked at."""

    def reading(self, body, request):
        session_id = request.record.session_id or body["session"]
        return evolve(super().reading(body, request), session_id=session_id)


@caught_by("R56")
class EchoesTheFacts(SessionReference):
    """Which way of looking the vendor shows is what it should be."""

    def reading(self, body, request):
        return evolve(super().reading(body, request), facts=request.record.facts)


@caught_by("R56")
class ShowsNoFacts(SessionReference):
    """Which way of looking the vendor shows is not read."""

    misread: ClassVar = {"facts": {}}


@caught_by("R56")
class DeletesAnyones(SessionReference):
    """The session of another record is deleted, too."""

    def compare(self, record, record_id):
        return None


@caught_by("R56", LateCopies)
class DeletesAnyonesUntilDecided(DeletesAnyones):
    """The same, of a vendor that tells whose session it is when it has decided."""


@caught_by("R56", ShowsNoFlow)
class EchoesWhatIsNotShown(SessionReference):
    """A fact that the vendor does not show is what it should be."""

    session_capabilities = STORES_NO_TERMS

    def reading(self, body, request):
        reading = super().reading({**body, "flow": FLOW}, request)
        return evolve(reading, facts=request.record.facts, terms=None)


@caught_by("R56")
class DeclaresNoCopies(SessionReference):
    """The vendor repeats the terms, and nobody looks."""

    session_capabilities = STORES_NO_TERMS


@caught_by("R56")
class NoSandbox(SessionReference):
    """That an answer is from the sandbox is not read."""

    def world(self, body):
        if body["world"] == "play":
            return None
        return super().world(body)


@caught_by("R56")
class StatesAFact(SessionReference):
    """A fact that the vendor shows is the same whatever the vendor shows."""

    session_facts: ClassVar = {"face": "required"}
    misread: ClassVar = {"facts": {"face": "required"}}


@caught_by("R56")
class FollowsTheId(SessionReference):
    """The id in a record is a part of the URL, and may lead anywhere."""

    def get(self, name):
        return self.poll(f"{self.service_url}/sessions/{name}")


@caught_by("R56")
class CrashesAtTheId(SessionReference):
    """An id that is none is an error of the plug-in's own code."""

    def get(self, name):
        if not name.isprintable() or "/" in name:
            raise ValueError("It is no id.")
        return super().get(name)


# R57: A webhook is verified first.


@caught_by("R57")
class WebhookAsks(SessionReference):
    """A webhook is looked up before its signature is checked."""

    def receive_session(self, body, headers, now):
        self.client.send(self.get("session-1"), backend=self.name, deadline=Deadline.after(5.0))
        return super().receive_session(body, headers, now)


@caught_by("R57")
class RefusesAll(SessionReference):
    """No webhook is taken."""

    def sign_body(self, body):
        return "-"


@caught_by("R57")
class ReceivesNone(SessionReference):
    """What a webhook is about is not returned."""

    def receive_session(self, body, headers, now):
        super().receive_session(body, headers, now)


@caught_by("R57")
class HintsAtTheDelivery(SessionReference):
    """The hint has the id of something else."""

    def hint(self, body):
        return evolve(super().hint(body), session_id=body["id"])


@caught_by("R57")
class UnsignedIsFine(SessionReference):
    """A webhook without a signature is taken."""

    def receive_session(self, body, headers, now):
        signed_at = headers.get("x-signed-at", f"{now.timestamp():.0f}")
        signature = self.sign_body(signed_at.encode() + body)
        headers = {"x-signed-at": signed_at, "x-signature": signature, **headers}
        return super().receive_session(body, headers, now)


@caught_by("R57", SignsTheTimeAlone)
class TakesAnotherBody(SessionReference):
    """The body of a webhook may be another than was signed."""

    def receive_session(self, body, headers, now):
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise fm.WebhookRefused("The delivery is not signed.") from None
        signed_at = headers.get("x-signed-at", "")
        if self.sign_body(signed_at.encode()) != headers.get("x-signature", ""):
            raise fm.WebhookRefused("The delivery is not signed.")
        if self.is_old(now.timestamp() - float(signed_at)):
            raise fm.WebhookRefused("The delivery is old.")
        return (self.hint(document),)


@caught_by("R57")
class OldIsFine(SessionReference):
    """How long ago a webhook was signed is not asked."""

    def is_old(self, age_s):
        return False


@caught_by("R57")
class WaitsTooLong(SessionReference):
    """A webhook is taken for longer than the vendor says."""

    def is_old(self, age_s):
        return age_s > 600


@caught_by("R57")
class IsInAHurry(SessionReference):
    """A webhook is refused before its time is over."""

    def is_old(self, age_s):
        return age_s > 30


@caught_by("R57")
class ReadsFirst(SessionReference):
    """A webhook is read before it is verified."""

    def receive_session(self, body, headers, now):
        document = json.loads(body)
        return document and super().receive_session(body, headers, now)


@caught_by("R57")
class TakesItsWord(SessionReference):
    """A webhook is believed before its signature is read."""

    def receive_session(self, body, headers, now):
        if body.startswith(b"{"):
            remember(self, "told", set()).update(json.loads(body).values())
        return super().receive_session(body, headers, now)

    def reading(self, body, request):
        reading = super().reading(body, request)
        if body["session"] not in remember(self, "told", set()):
            return reading
        checks = tuple(self.checks({**body, "items": PASSED}, request))
        return evolve(reading, approved=True, checks=checks)


@caught_by("R57")
class NamesNoSession(SessionReference):
    """A signed webhook is taken, and names no session."""

    def receive_session(self, body, headers, now):
        super().receive_session(body, headers, now)
        return ()


@caught_by("R57")
class ForgetsWhose(SessionReference):
    """A webhook tells whose session it is, and the hint does not."""

    def hint(self, body):
        return evolve(super().hint(body), record_id=None)


@caught_by("R57")
class HintsAtBills(SessionReference):
    """A webhook about something else names a session."""

    def hints(self, body):
        return super().hints({"session": "bill", "id": None, **body})


@caught_by("R57")
class OverlooksFilms(SessionReference):
    """A webhook about a film of a session names none."""

    def hints(self, body):
        if "film" in body:
            return ()
        return super().hints(body)


# R58: What vanished is no verdict.


@caught_by("R58")
class MissingIsRejected(SessionReference):
    """A session that is not there is a refused request."""

    session_capabilities = offers(result_lasts_s=None, finds_by_record=False)

    def missing(self, reply, call):
        return fm.RequestRejected("No.", status_code=404)


@caught_by("R58")
class OutageIsMissing(SessionReference):
    """An outage says that a session is not there."""

    def error(self, reply, call):
        return self.missing(reply, call)


@caught_by("R58")
class GatewayIsMissing(SessionReference):
    """A gateway without the route says that a session is not there."""

    own_error: ClassVar = ()


@caught_by("R58")
class DeletesNothing(SessionReference):
    """A deletion is reported as done, and not sent."""

    def delete_steps(self, request):
        yield self.get(request.record.session_id)
        return hosted.Deletion(state=hosted.DeletionState.DONE)


@caught_by("R58")
class MissingIsDone(SessionReference):
    """The deletion of what is not there is done."""

    def delete_steps(self, request):
        shown = yield evolve(self.get(request.record.session_id), expects={200, 404})
        if shown.status == 404:
            return hosted.Deletion(state=hosted.DeletionState.DONE)
        return (yield from super().delete_steps(request))


@caught_by("R58")
class AskedIsDone(SessionReference):
    """A deletion that the vendor only took note of is done."""

    def deleted(self, body):
        return hosted.DeletionState.DONE


@caught_by("R58")
class SaysTwiceTheTime(SessionReference):
    """Results are said to last twice as long as they do."""

    session_capabilities = offers(result_lasts_s=2 * 86400.0)


@caught_by("R58")
class CannotDeleteTwice(SessionReference):
    """The second deletion of a session is a refused request."""

    def missing(self, reply, call):
        if isinstance(call, DeleteRequest):
            return fm.RequestRejected("No.", status_code=404)
        return super().missing(reply, call)


@caught_by("R58")
class VanishedIsRefused(SessionReference):
    """The deletion of a session that the vendor lost by itself is a refused request."""

    deleted_ids = ()

    def delete_steps(self, request):
        self.deleted_ids = (*self.deleted_ids, request.record.session_id)
        return (yield from super().delete_steps(request))

    def missing(self, reply, call):
        is_first = self.deleted_ids.count(call.record.session_id) == 1
        if isinstance(call, DeleteRequest) and is_first:
            return fm.RequestRejected("No.", status_code=404)
        return super().missing(reply, call)


@caught_by("R58")
class LeavesLostSessions(SessionReference):
    """A session whose start had a lost response is not found, and not deleted."""

    def delete_steps(self, request):
        record = evolve(request.record, session_id=request.record.session_id or "none")
        return (yield from super().delete_steps(evolve(request, record=record)))


@caught_by("R58")
class SaysHalfTheTime(SessionReference):
    """Results are said to last half as long as they do."""

    session_capabilities = offers(result_lasts_s=86400.0 / 2)


@caught_by("R58")
class RemembersTheDecision(SessionReference):
    """A session that vanished at the vendor is reported as it was last read."""

    session_capabilities = offers(result_lasts_s=None)

    def read_steps(self, request):
        record = request.record
        last_readings = remember(self, "last readings", {})
        reply = yield evolve(self.get(record.session_id or self.find(record)), expects={200, 404})
        if reply.status == 200:
            last_readings[record.id] = self.reading(reply.json(), request)
        if record.id not in last_readings:
            raise self.missing(reply, request)
        return last_readings[record.id]

    def delete_steps(self, request):
        remember(self, "last readings", {}).pop(request.record.id, None)
        return (yield from super().delete_steps(request))


@caught_by("R58")
class DeletionCosts(SessionReference):
    """A deletion starts a session first."""

    def delete_steps(self, request):
        yield another_start(self)
        return (yield from super().delete_steps(request))


@caught_by("R58", KeepsTheFace)
class LeavesTheFace(SessionReference):
    """The session is deleted, and the face stays."""


@caught_by("R58")
class SaysTheFaceIsGone(SessionReference):
    """That the face is gone, too, is said and not told."""

    def delete_steps(self, request):
        deletion = yield from super().delete_steps(request)
        return evolve(deletion, face_kept=False)


@caught_by("R58")
class OutageIsOpen(SessionReference):
    """In an outage a session is one that nobody has opened."""

    def read_steps(self, request):
        record = request.record
        reply = yield evolve(self.get(record.session_id or self.find(record)), expects={200, 503})
        if reply.status == 503:
            return hosted.SessionReading(session_id=record.session_id, state=State.PENDING)
        return self.reading(reply.json(), request)


@caught_by("R58")
class WaitsAMoment(SessionReference):
    """When to read again after a refusal is not told."""

    def too_soon(self, reply):
        return fm.RateLimited("Wait.", status_code=409, billing=NOT_CHARGED)


@caught_by("R58")
class PromisesWithoutAnId(SessionReference):
    """A deletion is said to be under way if the record has no id, and it is done."""

    def delete_steps(self, request):
        deletion = yield from super().delete_steps(request)
        if request.record.session_id is None:
            return evolve(deletion, state=hosted.DeletionState.REQUESTED)
        return deletion


@caught_by("R58")
class NothingToDelete(SessionReference):
    """What is deleted was not there."""

    def deleted(self, body):
        return hosted.DeletionState.NOT_THERE


# R59: A portrait is of who was live.


@caught_by("R59")
class NeverAPortrait(SessionReference):
    """Nobody has a portrait."""

    def check(self, item, request):
        return evolve(super().check(item, request), portrait=None)


# R61: A value that decides nothing may have any form.


@caught_by("R61")
class NeedsTheTime(SessionReference):
    """A verified person is lost if the time of the session has another form."""

    def read_made_at(self, body):
        return datetime.fromisoformat(body["made_at"])


@caught_by("R61")
class ShowsTheFilms(SessionReference):
    """A verified person is lost if a field that is only shown is missing."""

    def reading(self, body, request):
        return evolve(super().reading(body, request), raw={"films": body["films"]})


@caught_by("R61")
class WarnsByReview(SessionReference):
    """A verified person is for staff if the end of the session has another form."""

    def reading(self, body, request):
        reading = super().reading(body, request)
        if isinstance(body.get("ends_at"), str):
            return reading
        warning = fm.ResultWarning(code=fm.WarningCode.OTHER, text="When does it end?")
        return evolve(reading, review_reasons=(warning,))
