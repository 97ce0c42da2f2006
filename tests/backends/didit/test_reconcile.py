"""Looking for a kept call in Didit's sessions, against canned lists and decisions."""

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest
from kit.scripted import response
from requests.adapters import BaseAdapter

import facematch_core as fm
from facematch_core.http import HttpClient
from facematch_core.testing import ManualClock
from facematch_didit import DiditBackend
from facematch_didit.reconcile import DEADLINE_S, SKEW, find_window

AT = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC)
ID = "5b297c1a-db3f-43f4-92b6-10a71e8cf9df"
FIFTY = fm.Threshold(50, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)
NINETY = fm.Threshold(90, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)


def uid(number):
    return f"00000000-0000-4000-8000-{number:012}"


def record(**changes):
    facts = {"id": ID, "operation": fm.Operation.MATCH, "backend": "didit", "started_at": AT}
    return fm.CallRecord(**{**facts, "kept": True, "threshold": FIFTY} | changes)


def session(number, call_id=ID, after_s=1, service="match", score=87.36, **changes):
    """A kept call as a decision has it."""
    created_at = (AT + dt.timedelta(seconds=after_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    block = {"node_id": "n", "status": "Approved", "score": score, "warnings": []}
    blocks = {"face_matches": None, "liveness_checks": None}
    blocks["face_matches" if service == "match" else "liveness_checks"] = [block]
    metadata = {"gate": "n"} | ({} if call_id is None else {"facematch_attempt_id": call_id})
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
        "created_at": created_at,
        "expires_at": None,
        **blocks,
        **changes,
    }


class Records(BaseAdapter):
    """Didit's sessions: pages of two, newest first; and whatever `refusal` says instead."""

    def __init__(self, *sessions, refusal=None, gone=()):
        super().__init__()
        self.sessions = sorted(sessions, key=lambda session: session["created_at"], reverse=True)
        self.refusal, self.gone = refusal, gone
        self.requests = []

    def send(self, request, **_):
        url = urlsplit(request.url)
        self.requests.append((url.path, {k: v[0] for k, v in parse_qs(url.query).items()}))
        return response(*(self.refusal or self._answer(*self.requests[-1])))

    def _answer(self, path, query):
        if path == "/v3/sessions/":
            start = int(query["offset"])
            following = f"https://didit.example/v3/sessions/?limit=2&offset={start + 2}"
            ref = query.get("vendor_data")
            fits = [session for session in self.sessions if ref in (None, session["vendor_data"])]
            rows = [
                {k: session[k] for k in ("session_id", "status", "created_at", "vendor_data")}
                | {"features": [{"feature": "FACE_MATCH", "status": "Approved"}]}
                for session in fits[start : start + 2]
            ]
            more = start + 2 < len(fits)
            return 200, {"count": 9, "next": following if more else None, "results": rows}
        name = path.split("/")[3]
        if name in self.gone:
            return 404, {"detail": "Session not found."}
        return 200, next(session for session in self.sessions if session["session_id"] == name)

    @property
    def lists(self):
        return [query for path, query in self.requests if path == "/v3/sessions/"]

    @property
    def decisions(self):
        return [path for path, _ in self.requests if path.endswith("/decision/")]

    def close(self):
        pass


def look(records, call=None, *, deadline_s=None, clock=None, **settings):
    backend = DiditBackend(api_key="didit-key-8c1f5e2ab9", **settings)
    backend.client.mount("https://", records)
    with fm.FaceVerifier(backend, clock=clock) as verifier:
        return verifier.reconcile(call or record(), deadline_s=deadline_s)


def test_one_record_with_the_id_is_the_call():
    answer = look(Records(session(1, None), session(2), session(3, "another")))
    assert answer.outcome is fm.Reconciled.FOUND
    result = answer.result
    assert (result.decision, result.score.value) == (fm.Decision.MATCH, 87.36)
    assert (result.ids.call, result.ids.session, result.ids.vendor) == (ID, uid(2), uid(2))
    assert (result.ids.caller, result.metadata) == ("emp-0042", {"gate": "n"})
    assert (result.billing.charged, result.threshold) == (fm.Charged.YES, FIFTY)
    assert "record" in result.billing.ground


def test_a_record_that_says_it_is_of_the_sandbox_was_not_charged():
    result = look(Records(session(1, environment="sandbox"))).result
    assert result.environment is fm.Environment.SANDBOX
    assert result.billing.charged is fm.Charged.NO


def test_of_the_sandbox_nothing_is_asked_for():
    records = Records(session(1))
    answer = look(records, environment="sandbox")
    assert (answer.outcome, answer.call) == (fm.Reconciled.CANNOT_KNOW, record())
    assert records.requests == []


def test_the_rules_of_the_call_hold():
    assert (
        look(Records(session(1)), record(review_threshold=NINETY)).result.decision
        is fm.Decision.REVIEW
    )
    assert look(Records(session(1, score=41.0))).result.decision is fm.Decision.REVIEW
    # A record of an older version may lack its threshold: then Didit's verdict counts alone.
    bare = record(threshold=None)
    assert look(Records(session(1)), bare).result.decision is fm.Decision.MATCH
    records = Records(session(1, service="liveness"))
    live = look(records, record(operation=fm.Operation.LIVENESS))
    assert live.result.decision is fm.LivenessDecision.LIVE
    assert records.requests[0][1]["api_service"] == "PASSIVE_LIVENESS"


#: A record of which nothing can be read but its id.
ODD = session(1, None, features="all of them")


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        (Records(), "not_yet"),
        (Records(session(1, None), session(2, "other")), "not_yet"),
        # Between the list and the look somebody deleted it.
        (Records(session(1), session(2, "other"), gone={uid(1)}), "not_yet"),
        # Something repeated the call, and neither is the one.
        (Records(session(1), session(2)), "cannot_know"),
        (Records(ODD, session(2)), "found"),
        # Without the call nobody can say that it is not there.
        (Records(ODD), "cannot_know"),
        (Records(session(1, face_matches=None)), "cannot_know"),
        (Records(session(1, face_matches=session(1)["face_matches"] * 2)), "cannot_know"),
    ],
    ids=[
        "none",
        "others",
        "deleted",
        "two",
        "odd beside it",
        "odd alone",
        "no result",
        "two results",
    ],
)
def test_only_one_record_with_one_result_is_the_call(records, outcome):
    answer = look(records)
    assert (answer.outcome, answer.result is None) == (outcome, outcome != "found")
    assert answer.reason


@pytest.mark.parametrize("after_s", [0, 3600], ids=["in the window", "on those days"])
@pytest.mark.parametrize(("bound", "limit"), [("MAX_CANDIDATES", 3), ("MAX_ROWS", 4)])
def test_what_was_not_looked_through_is_not_said_to_be_missing(monkeypatch, bound, limit, after_s):
    others = [session(n, "other", after_s=after_s + n) for n in range(2, 7)]
    monkeypatch.setattr(f"facematch_didit.reconcile.{bound}", limit)
    records = Records(session(1, "other"), *others)
    assert look(records).outcome is fm.Reconciled.CANNOT_KNOW
    assert len(records.decisions) <= limit


def test_the_list_is_asked_for_no_more_than_is_needed():
    records = Records(session(1))
    look(records, record(caller_ref="emp-0042", started_at=AT.replace(hour=0, minute=3)))
    _, query = records.requests[0]
    assert query["date_from"] == "2026-07-01"
    assert query["date_to"] == "2026-07-02"
    assert (query["session_type"], query["api_service"]) == ("API", "FACE_MATCH")
    assert query["vendor_data"] == "emp-0042"
    records = Records(session(1))
    look(records)
    assert "vendor_data" not in records.requests[0][1]


def test_only_records_of_the_window_are_opened():
    far = [session(n, None, after_s=-7200 - n) for n in range(10, 16)]
    records = Records(session(1), session(2, after_s=7200), *far)
    assert look(records).result.ids.session == uid(1)
    assert records.decisions == [f"/v3/session/{uid(1)}/decision/"]
    assert len(records.requests) == 3


def test_the_window_allows_for_clocks_and_patience():
    first, last = find_window(record(), 70.0)
    assert (AT - first, last - AT) == (SKEW, SKEW + dt.timedelta(seconds=70))
    assert find_window(record(), 1e300)[1] > last


def test_a_record_of_an_unknown_environment_is_not_believed_and_hides_no_other():
    unknown = {"environment": "staging"}
    assert look(Records(session(1, **unknown))).outcome is fm.Reconciled.CANNOT_KNOW
    answer = look(Records(session(1, "another", **unknown), session(2)))
    assert answer.outcome is fm.Reconciled.FOUND


@pytest.mark.parametrize("off_s", [-7 * 3600, -1200, 1200, 7 * 3600])
def test_a_wrong_clock_hides_nothing(off_s):
    """Outside the window, but on the days around: whoever hears "not there" pays again."""
    others = [session(n, "other", after_s=n) for n in range(3, 6)]
    records = Records(session(1, after_s=off_s), session(2, "other"), *others)
    answer = look(records)
    assert (answer.outcome, answer.result.ids.session) == (fm.Reconciled.FOUND, uid(1))
    assert len(records.decisions) == len(set(records.decisions)) == 5


def test_a_reference_that_was_changed_hides_nothing():
    records = Records(session(1), session(2, "other", vendor_data="x"))
    answer = look(records, record(caller_ref=" emp-0042 "))
    assert answer.outcome is fm.Reconciled.FOUND
    assert [query.get("vendor_data") for query in records.lists] == [" emp-0042 ", None]
    # No list can be asked for white space.
    records = Records(session(1, vendor_data="  "))
    assert look(records, record(caller_ref="  ")).outcome is fm.Reconciled.FOUND
    assert all("vendor_data" not in query for query in records.lists)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((403, {"detail": "You do not have permission."}), fm.AuthenticationFailed),
        ((429, {"detail": "Too many."}), fm.RateLimited),
        ((502, b"<html>"), fm.VendorUnavailable),
    ],
)
def test_a_refusal_of_the_records_is_raised_and_free(refusal, error):
    with pytest.raises(error) as caught:
        look(Records(refusal=refusal))
    assert caught.value.billing.charged is fm.Charged.NO
    assert caught.value.ids.call == ID


class Slow(Records):
    def __init__(self, clock, *sessions):
        super().__init__(*sessions)
        self.clock = clock

    def _answer(self, path, query):
        self.clock.advance(1)
        return super()._answer(path, query)


def test_the_deadline_ends_the_search_also_among_decisions(monkeypatch):
    clock = ManualClock()
    monkeypatch.setattr(DiditBackend, "make_client", lambda _: HttpClient(clock=clock))
    began, records = clock.monotonic(), Slow(clock, *(session(n, "other") for n in range(1, 21)))
    with pytest.raises(fm.VendorUnavailable):
        look(records, deadline_s=15, clock=clock)
    assert records.decisions
    assert clock.monotonic() - began < 17


class Endless(Records):
    """Every page of the list is the first, with a larger offset; each answer takes a while."""

    def __init__(self, clock, *sessions, new=False):
        super().__init__(*sessions)
        self.clock, self.new = clock, new

    def _answer(self, path, query):
        self.clock.advance(0.5)
        assert len(self.requests) < 5_000, "asked for page after page"
        if path != "/v3/sessions/":
            return super()._answer(path, query)
        offset = int(query["offset"])
        row = {"session_id": uid(offset if self.new else 1), "status": "Approved"}
        row["created_at"] = session(1)["created_at"]
        return 200, {"next": f"/?limit=2&offset={offset + 2}", "results": [row]}


def test_the_search_in_a_list_without_end_ends(monkeypatch):
    clock = ManualClock()
    monkeypatch.setattr(DiditBackend, "make_client", lambda _: HttpClient(clock=clock))
    records = Endless(clock, session(1))
    with pytest.raises(fm.UnexpectedResponse) as caught:
        look(records)
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(records.requests) < 50
    for deadline_s in (None, 4.5):
        began = clock.monotonic()
        with pytest.raises(fm.VendorUnavailable) as caught:
            look(Endless(clock, session(1), new=True), deadline_s=deadline_s, clock=clock)
        assert caught.value.billing.charged is fm.Charged.NO
        assert clock.monotonic() - began < (deadline_s or DEADLINE_S) + 1
