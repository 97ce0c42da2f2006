"""Looking for a kept call in Didit's sessions, against canned lists and decisions."""

import datetime as dt
import io
import json
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter

import facematch_core as fm
from facematch_core.http import HttpClient
from facematch_core.testing import ManualClock
from facematch_didit import DiditBackend
from facematch_didit.reconcile import DEADLINE_S, SKEW, window_of

AT = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC)
ID = "5b297c1a-db3f-43f4-92b6-10a71e8cf9df"
FIFTY = fm.Threshold(50, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)
NINETY = fm.Threshold(90, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)


def uid(number):
    return f"00000000-0000-4000-8000-{number:012}"


def attempt(**changes):
    facts = {"id": ID, "operation": fm.Operation.MATCH, "backend": "didit", "started_at": AT}
    return fm.CallRecord(**{**facts, "kept": True, "threshold": FIFTY} | changes)


def session(number, attempt_id=ID, after_s=1, service="match", score=87.36, **changes):
    """A kept call as a decision tells it."""
    made = (AT + dt.timedelta(seconds=after_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    block = {"node_id": "n", "status": "Approved", "score": score, "warnings": []}
    blocks = {"face_matches": None, "liveness_checks": None}
    blocks["face_matches" if service == "match" else "liveness_checks"] = [block]
    metadata = {"gate": "n"} | ({} if attempt_id is None else {"facematch_attempt_id": attempt_id})
    return {
        "session_id": uid(number),
        "session_kind": "user",
        "session_number": number,
        "status": "Approved",
        "environment": "live",
        "workflow_id": None,
        "features": ["FACE_MATCH"],
        "vendor_data": "emp-0042",
        "metadata": metadata,
        "reviews": [],
        "created_at": made,
        "expires_at": None,
        **blocks,
        **changes,
    }


class Records(BaseAdapter):
    """Didit's sessions: pages of two, newest first; and whatever `refusal` says instead."""

    def __init__(self, *sessions, refusal=None, gone=()):
        super().__init__()
        self.sessions = sorted(sessions, key=lambda one: one["created_at"], reverse=True)
        self.refusal, self.gone = refusal, gone
        self.asked = []

    def send(self, request, **_):
        url = urlsplit(request.url)
        self.asked.append((url.path, {k: v[0] for k, v in parse_qs(url.query).items()}))
        status, body = self.refusal or self._answer(*self.asked[-1])
        response = requests.Response()
        response.status_code = status
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        response.raw = urllib3.HTTPResponse(io.BytesIO(data), status=status, preload_content=False)
        return response

    def _answer(self, path, query):
        if path == "/v3/sessions/":
            start = int(query["offset"])
            following = f"https://didit.example/v3/sessions/?limit=2&offset={start + 2}"
            ref = query.get("vendor_data")
            fits = [one for one in self.sessions if ref in (None, one["vendor_data"])]
            rows = [
                {k: one[k] for k in ("session_id", "status", "created_at", "vendor_data")}
                | {"features": [{"feature": "FACE_MATCH", "status": "Approved"}]}
                for one in fits[start : start + 2]
            ]
            more = start + 2 < len(fits)
            return 200, {"count": 9, "next": following if more else None, "results": rows}
        name = path.split("/")[3]
        if name in self.gone:
            return 404, {"detail": "Session not found."}
        return 200, next(one for one in self.sessions if one["session_id"] == name)

    @property
    def lists(self):
        return [query for path, query in self.asked if path == "/v3/sessions/"]

    @property
    def decisions(self):
        return [path for path, _ in self.asked if path.endswith("/decision/")]

    def close(self):
        pass


def look(records, given=None, *, deadline_s=None, **settings):
    backend = DiditBackend(api_key="didit-key-8c1f5e2ab9", **settings)
    backend.client.mount("https://", records)
    with fm.FaceVerifier(backend) as verifier:
        return verifier.reconcile(given or attempt(), deadline_s=deadline_s)


def test_one_record_with_the_id_is_the_call():
    """The result is what the call would have answered, paid, without our entry in the metadata."""
    told = look(Records(session(1, None), session(2), session(3, "another")))
    assert told.outcome is fm.Reconciled.FOUND
    result = told.result
    assert (result.decision, result.score.value) == (fm.Decision.MATCH, 87.36)
    assert (result.ids.call, result.ids.session) == (ID, uid(2))
    assert (result.ids.caller, result.metadata) == ("emp-0042", {"gate": "n"})
    assert (result.billing.charged, result.threshold) == (fm.Charged.YES, FIFTY)
    assert "record" in result.billing.ground


def test_the_rules_of_the_call_hold():
    """A threshold of review, and one that Didit passed over, make of it what they always do."""
    weak = attempt(review_threshold=NINETY)
    assert look(Records(session(1)), weak).result.decision is fm.Decision.REVIEW
    assert look(Records(session(1, score=41.0))).result.decision is fm.Decision.REVIEW


def test_liveness_is_found_as_such():
    """By the other service, as the other kind of result."""
    records = Records(session(1, service="liveness"))
    told = look(records, attempt(operation=fm.Operation.LIVENESS))
    assert told.result.decision is fm.LivenessDecision.LIVE
    assert records.asked[0][1]["api_service"] == "PASSIVE_LIVENESS"


def test_the_list_is_asked_for_no_more_than_is_needed():
    """Whole days of UTC around the window, one service, the caller's reference if there is one."""
    records = Records(session(1))
    look(records, attempt(caller_ref="emp-0042", started_at=AT.replace(hour=0, minute=3)))
    _, query = records.asked[0]
    assert query["date_from"] == "2026-07-01"
    assert query["date_to"] == "2026-07-02"
    assert (query["session_type"], query["api_service"]) == ("API", "FACE_MATCH")
    assert query["vendor_data"] == "emp-0042"
    records = Records(session(1))
    look(records)
    assert "vendor_data" not in records.asked[0][1]


def test_only_records_of_the_window_are_opened():
    """What was made hours before or after cannot be it; older pages are not asked for."""
    far = [session(n, None, after_s=-7200 - n) for n in range(10, 16)]
    records = Records(session(1), session(2, after_s=7200), *far)
    assert look(records).result.ids.session == uid(1)
    assert records.decisions == [f"/v3/session/{uid(1)}/decision/"]
    assert len(records.asked) == 3


def test_the_window_allows_for_clocks_and_patience():
    """Ten minutes on each side, and on the later one the longest time a call may take."""
    first, last = window_of(attempt(), 70.0)
    assert (AT - first, last - AT) == (SKEW, SKEW + dt.timedelta(seconds=70))
    assert window_of(attempt(), 1e300)[1] > last


@pytest.mark.parametrize("records", [Records(), Records(session(1, None), session(2, "other"))])
def test_no_record_is_not_yet(records):
    """Nothing is claimed of a call that is not there."""
    told = look(records)
    assert (told.outcome, told.result) == (fm.Reconciled.NOT_YET, None)


def test_a_record_that_was_deleted_meanwhile_is_passed_over():
    """Between the list and the look somebody deleted it."""
    told = look(Records(session(1), session(2, "other"), gone={uid(1)}))
    assert told.outcome is fm.Reconciled.NOT_YET


@pytest.mark.parametrize("off_s", [-7 * 3600, -1200, 1200, 7 * 3600])
def test_a_wrong_clock_hides_nothing(off_s):
    """Outside the window, but on the days around: whoever is told "not there" pays again."""
    others = [session(n, "other", after_s=n) for n in range(3, 6)]
    records = Records(session(1, after_s=off_s), session(2, "other"), *others)
    told = look(records)
    assert (told.outcome, told.result.ids.session) == (fm.Reconciled.FOUND, uid(1))
    assert len(records.decisions) == len(set(records.decisions)) == 5


def test_a_reference_that_was_changed_hides_nothing():
    """A framework may trim it; what the vendor stored is then not what the list is asked for."""
    records = Records(session(1), session(2, "other", vendor_data="x"))
    told = look(records, attempt(caller_ref=" emp-0042 "))
    assert told.outcome is fm.Reconciled.FOUND
    assert [query.get("vendor_data") for query in records.lists] == [" emp-0042 ", None]


def test_a_reference_of_white_space_is_not_asked_for():
    """No list can be asked for it, and an attempt of an older version may have it."""
    records = Records(session(1, vendor_data="  "))
    assert look(records, attempt(caller_ref="  ")).outcome is fm.Reconciled.FOUND
    assert all("vendor_data" not in query for query in records.lists)


def test_not_yet_names_the_days_and_the_clock():
    """Both looks came to an end, and what they rest on is said."""
    told = look(Records(session(1, "other", after_s=7200)))
    assert told.outcome is fm.Reconciled.NOT_YET
    assert "of 2026-07-02 (UTC)" in told.reason
    assert "the clock of this machine" in told.reason
    late = attempt(started_at=AT.replace(hour=23, minute=55))
    assert "2026-07-02 and 2026-07-03 (UTC)" in look(Records(), late).reason


def test_more_than_can_be_looked_through_on_those_days(monkeypatch):
    """The window is clear, the days are not: nobody is told to pay again."""
    others = [session(n, "other", after_s=3600 + n) for n in range(2, 7)]
    monkeypatch.setattr("facematch_didit.reconcile.MAX_CANDIDATES", 3)
    records = Records(session(1, "other"), *others)
    told = look(records)
    assert told.outcome is fm.Reconciled.CANNOT_KNOW
    assert "the clock of this machine" in told.reason
    assert len(records.decisions) == 3
    monkeypatch.undo()
    monkeypatch.setattr("facematch_didit.reconcile.MAX_ROWS", 4)
    told = look(Records(session(1, "other"), *others))
    assert told.outcome is fm.Reconciled.CANNOT_KNOW


def test_two_records_are_no_answer():
    """One id in two records: something repeated the call, and neither is the one."""
    told = look(Records(session(1), session(2)))
    assert (told.outcome, told.result) == (fm.Reconciled.CANNOT_KNOW, None)
    assert told.reason.startswith("2 of Didit's records")


def test_an_unreadable_record_hides_neither_the_call_nor_the_doubt():
    """The call is found beside it; without the call nobody can say that it is not there."""
    odd = session(1, None, features="all of them")
    assert look(Records(odd, session(2))).outcome is fm.Reconciled.FOUND
    assert look(Records(odd)).outcome is fm.Reconciled.CANNOT_KNOW


def test_a_record_without_one_result_is_no_answer():
    """A kept face match tells one comparison."""
    told = look(Records(session(1, face_matches=None)))
    assert told.outcome is fm.Reconciled.CANNOT_KNOW
    assert "0 results" in told.reason


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        (attempt(kept=False), {}),
        (attempt(), {"environment": fm.Environment.SANDBOX}),
    ],
    ids=["nothing kept", "sandbox"],
)
def test_where_nothing_can_be_known_nothing_is_asked(given, settings):
    """A sentence says why."""
    records = Records(session(1))
    told = look(records, given, **settings)
    assert told.outcome is fm.Reconciled.CANNOT_KNOW
    assert told.reason.endswith(".")
    assert records.asked == []


def test_too_many_records_are_no_answer(monkeypatch):
    """The search is bounded, and what lies beyond was not looked at."""
    others = [session(n, "other", after_s=n) for n in range(1, 6)]
    monkeypatch.setattr("facematch_didit.reconcile.MAX_CANDIDATES", 3)
    told = look(Records(*others))
    assert told.outcome is fm.Reconciled.CANNOT_KNOW
    monkeypatch.undo()
    monkeypatch.setattr("facematch_didit.reconcile.MAX_ROWS", 4)
    records = Records(*others)
    assert look(records).outcome is fm.Reconciled.CANNOT_KNOW
    assert len(records.decisions) == 4


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((403, {"detail": "You do not have permission."}), fm.AuthenticationFailed),
        ((401, {"detail": "Invalid API Key."}), fm.AuthenticationFailed),
        ((429, {"detail": "Too many."}), fm.RateLimited),
        ((502, b"<html>"), fm.VendorUnavailable),
        ((500, {"detail": "Oh."}), fm.VendorUnavailable),
    ],
)
def test_what_the_vendor_refuses_is_raised(refusal, error):
    """As what it is; looking costs nothing."""
    with pytest.raises(error) as caught:
        look(Records(refusal=refusal))
    assert caught.value.billing.charged is fm.Charged.NO
    assert caught.value.ids.call == ID


class Slow(Records):
    """Each answer takes a second of the client's clock."""

    def __init__(self, clock, *sessions):
        super().__init__(*sessions)
        self.clock = clock

    def send(self, request, **more):
        self.clock.advance(1.0)
        return super().send(request, **more)


def test_the_deadline_covers_the_whole_search(monkeypatch):
    """It ends between two looks at the latest, and nothing was charged."""
    clock = ManualClock()
    monkeypatch.setattr(DiditBackend, "make_client", lambda _: HttpClient(clock=clock))
    records = Slow(clock, *(session(n, "other", after_s=n) for n in range(1, 6)))
    with pytest.raises(fm.VendorUnavailable, match="ran out") as caught:
        look(records, deadline_s=4.5)
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(records.asked) <= 5


class Endless(Records):
    """Every page of the list is the first, with a larger offset; each answer takes a while."""

    def __init__(self, clock, *sessions, new=False):
        super().__init__(*sessions)
        self.clock, self.new = clock, new

    def _answer(self, path, query):
        self.clock.advance(0.5)
        assert len(self.asked) < 5_000, "asked for page after page"
        if path != "/v3/sessions/":
            return super()._answer(path, query)
        offset = int(query["offset"])
        row = {"session_id": uid(offset if self.new else 1), "status": "Approved"}
        row["created_at"] = session(1)["created_at"]
        return 200, {"next": f"/?limit=2&offset={offset + 2}", "results": [row]}


def test_a_list_that_never_ends(monkeypatch):
    """The search ends all the same: by itself, and at the latest when its time is over."""
    clock = ManualClock()
    monkeypatch.setattr(DiditBackend, "make_client", lambda _: HttpClient(clock=clock))
    records = Endless(clock, session(1))
    with pytest.raises(fm.UnexpectedResponse, match="no end of it") as caught:
        look(records)
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(records.asked) < 50
    began = clock.monotonic()
    with pytest.raises(fm.VendorUnavailable, match="ran out"):
        look(Endless(clock, session(1), new=True))
    assert clock.monotonic() - began < DEADLINE_S + 1


def test_an_old_attempt_may_lack_its_threshold():
    """Then Didit's verdict counts alone, as in any call without one."""
    bare = attrs.evolve(attempt(), threshold=None)
    assert look(Records(session(1)), bare).result.decision is fm.Decision.MATCH
