"""`reconcile`: find a kept call among Didit's sessions, by its id in their metadata."""

import datetime as dt
import itertools
from urllib.parse import parse_qsl, urlsplit

import pytest
from kit.scripted import ScriptedAdapter

import facematch_core as fm
from facematch_core import models
from facematch_core.http import HttpClient
from facematch_core.testing import ManualClock
from facematch_didit import DiditBackend, reconcile, records

AT = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC)
ID = "5b297c1a-db3f-43f4-92b6-10a71e8cf9df"
FIFTY = fm.Threshold(50, models.ThresholdRule.ABOVE, models.ThresholdSource.CALLER)


def uid(number):
    return f"00000000-0000-4000-8000-{number:012}"


def record(**changes):
    usual = {
        "id": ID,
        "operation": fm.Operation.MATCH,
        "backend": "didit",
        "started_at": AT,
        "retention": fm.Retention.KEEP,
        "threshold": FIFTY,
    }
    return fm.CallRecord(**{**usual, **changes})


def session(number, call_id=ID, after_s=1, service="match", **changes):
    item = {"node_id": "n", "status": "Approved", "score": 87.36, "warnings": []}
    metadata = {"gate": "n"}
    if call_id is not None:
        metadata["facematch_attempt_id"] = call_id
    created_at = AT + dt.timedelta(seconds=after_s)
    return {
        "session_id": uid(number),
        "status": "Approved",
        "environment": "live",
        "workflow_id": None,
        "features": ["FACE_MATCH"],
        "vendor_data": "emp-0042",
        "metadata": metadata,
        "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "face_matches": [item] if service == "match" else None,
        "liveness_checks": [item] if service == "liveness" else None,
        **changes,
    }


class Records(ScriptedAdapter):
    """Didit's sessions, in pages of two, the newest first; each answer takes `takes_s` seconds.

    `refusal` answers every request, `gone` names sessions that are listed and then deleted.
    """

    def __init__(self, *sessions, refusal=None, gone=()):
        super().__init__(self.receive)
        self.sessions = sorted(sessions, key=lambda session: session["created_at"], reverse=True)
        self.refusal = refusal
        self.gone = gone
        self.requests = []
        self.clock = ManualClock(start=AT)
        self.takes_s = 0.0

    def receive(self, request):
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        self.requests.append((url.path, query))
        self.clock.advance(self.takes_s)
        if self.refusal is not None:
            return self.refusal
        return self.answer(url.path, query)

    def answer(self, path, query):
        if path == "/v3/sessions/":
            return 200, self.page(query)
        name = path.split("/")[3]
        if name in self.gone:
            return 404, {"detail": "Session not found."}
        return 200, next(session for session in self.sessions if session["session_id"] == name)

    def page(self, query):
        sessions = self.sessions
        if "vendor_data" in query:
            reference = query["vendor_data"]
            sessions = [session for session in sessions if session["vendor_data"] == reference]
        start = int(query["offset"])
        end = start + 2
        next_url = f"https://didit.example/x/?limit=2&offset={end}"
        names = ("session_id", "status", "created_at", "vendor_data")
        return {
            "count": len(sessions),
            "next": next_url if end < len(sessions) else None,
            "results": [{name: session[name] for name in names} for session in sessions[start:end]],
        }

    def paths(self, end):
        return [path for path, _ in self.requests if path.endswith(end)]


def look(records, call=None, *, deadline_s=None, **settings):
    backend = DiditBackend(api_key="didit-key-8c1f5e2ab9", **settings)
    vars(backend)["client"] = HttpClient(clock=records.clock)
    backend.client.mount("https://", records)
    with fm.FaceVerifier(backend, clock=records.clock) as verifier:
        return verifier.reconcile(call or record(), deadline_s=deadline_s)


# --- what is found ---


def test_a_liveness_check_is_searched_among_liveness_checks():
    records = Records(session(1, service="liveness"))
    result = look(records, record(operation=fm.Operation.LIVENESS)).result
    assert result.decision is fm.LivenessDecision.LIVE
    assert records.requests[0][1]["api_service"] == "PASSIVE_LIVENESS"


def test_sandbox_calls_are_free_and_not_stored():
    result = look(Records(session(1, environment="sandbox"))).result
    assert result.environment is fm.Environment.SANDBOX
    assert result.billing.charged is fm.Charged.NO
    records = Records(session(1))
    assert look(records, environment="sandbox").outcome is fm.Reconciled.CANNOT_KNOW
    assert records.requests == []


ODD = session(1, None, features="all of them")
STRANGE = session(1, "another", environment="staging")
TWICE = session(1)["face_matches"] * 2


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        pytest.param(Records(), "not_yet", id="none"),
        pytest.param(Records(session(1, None), session(2, "other")), "not_yet", id="others"),
        pytest.param(
            Records(session(1), gone={uid(1)}), "not_yet", id="deleted since it was listed"
        ),
        pytest.param(Records(session(1), session(2)), "cannot_know", id="two with the id"),
        pytest.param(Records(ODD, session(2)), "found", id="an unreadable one beside it"),
        pytest.param(Records(ODD), "cannot_know", id="an unreadable one alone"),
        pytest.param(Records(STRANGE, session(2)), "found", id="an unknown environment beside it"),
        pytest.param(
            Records(session(1, environment="staging")), "cannot_know", id="an unknown environment"
        ),
        pytest.param(Records(session(1, face_matches=None)), "cannot_know", id="no result"),
        pytest.param(Records(session(1, face_matches=TWICE)), "cannot_know", id="two results"),
    ],
)
def test_only_one_record_with_one_result_is_the_call(records, outcome):
    answer = look(records)
    assert answer.outcome == outcome
    assert (answer.result is not None) is (outcome == "found")
    assert answer.reason


# --- what is searched ---


def test_the_list_is_filtered_by_service_day_and_reference():
    records = Records(session(1))
    look(records, record(caller_ref="emp-0042", started_at=AT.replace(hour=0, minute=3)))
    (_, query), *_ = records.requests
    filters = {
        "date_from": "2026-07-01",
        "date_to": "2026-07-02",
        "session_type": "API",
        "api_service": "FACE_MATCH",
        "vendor_data": "emp-0042",
    }
    assert query.items() >= filters.items()


def test_only_sessions_near_the_call_are_opened():
    earlier = [session(number, None, after_s=-7200 - number) for number in range(10, 16)]
    records = Records(session(1), session(2, after_s=7200), *earlier)
    assert look(records).result.ids.session == uid(1)
    assert records.paths("/decision/") == [f"/v3/session/{uid(1)}/decision/"]
    assert len(records.requests) == 3


@pytest.mark.parametrize(("after_s", "opened"), [(669, 1), (671, 2), (-599, 1), (-601, 2)])
def test_search_window_is_ten_minutes_plus_the_timeouts(after_s, opened):
    # 10 s for a connection and 60 s for the answer. Beyond that the whole day is searched.
    records = Records(session(1, after_s=after_s), session(2, "other", after_s=30_000))
    assert look(records).outcome is fm.Reconciled.FOUND
    assert len(records.paths("/decision/")) == opened


@pytest.mark.parametrize(("ref", "stored"), [(" emp-0042 ", "emp-0042"), ("  ", "  ")])
def test_a_reference_changed_by_didit_is_still_found(ref, stored):
    records = Records(session(1, vendor_data=stored), session(2, "other", vendor_data="x"))
    assert look(records, record(caller_ref=ref)).outcome is fm.Reconciled.FOUND
    assert "vendor_data" not in records.requests[-2 if ref.strip() else 0][1]


@pytest.mark.parametrize("after_s", [0, 3600], ids=["near the call", "later that day"])
@pytest.mark.parametrize(("name", "limit"), [("MAX_CANDIDATES", 3), ("MAX_ROWS", 4)])
def test_a_search_beyond_its_limits_does_not_report_a_call_as_missing(
    monkeypatch, name, limit, after_s
):
    others = [session(number, "other", after_s=after_s + number) for number in range(2, 7)]
    monkeypatch.setattr(reconcile, name, limit)
    records = Records(session(1, "other"), *others)
    assert look(records).outcome is fm.Reconciled.CANNOT_KNOW
    assert len(records.paths("/decision/")) <= limit


# --- pages ---


class Odd(Records):
    """A list whose every page has a row and these addresses of the next page, in turn."""

    def __init__(self, *following):
        super().__init__(session(1))
        self.following = itertools.cycle(following)
        self.numbers = itertools.count(2)

    def page(self, query):
        row = {
            "session_id": uid(next(self.numbers)),
            "status": "Approved",
            "created_at": self.sessions[0]["created_at"],
        }
        next_page = next(self.following).format(int(query["offset"]) + 2)
        return {"next": next_page, "results": [row]}

    def answer(self, path, query):
        assert len(self.requests) < 100, "asked for page after page"
        return super().answer(path, query)


@pytest.mark.parametrize(
    "following",
    [
        ["?limit=50&offset=2", "?limit=50&offset=0"],
        ["?limit=50&offset=0"],
        ["?cursor=abc"],
        ["?offset=-1"],
        ["/next"],
        ["?offset={}"],
    ],
    ids=str,
)
def test_a_broken_or_endless_list_is_unreadable(following, monkeypatch):
    monkeypatch.setattr(records, "MAX_PAGES", 30)
    with pytest.raises(fm.UnexpectedResponse) as caught:
        look(Odd(*following))
    assert caught.value.billing.charged is fm.Charged.NO


# --- refusals and deadlines ---


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((403, {"detail": "You do not have permission."}), fm.AuthenticationFailed),
        ((429, {"detail": "Too many."}), fm.RateLimited),
        ((502, b"<html>"), fm.VendorUnavailable),
        ((200, {"results": "none"}), fm.UnexpectedResponse),
    ],
)
def test_a_refusal_is_raised_and_free(refusal, error):
    with pytest.raises(error) as caught:
        look(Records(refusal=refusal))
    assert caught.value.billing.charged is fm.Charged.NO
    assert caught.value.ids.call == ID


@pytest.mark.parametrize("deadline_s", [15, None])
def test_the_deadline_ends_the_search(deadline_s):
    records = Records(*[session(number, "other") for number in range(1, 21)])
    records.takes_s = 1 if deadline_s else 20
    began = records.clock.monotonic()
    with pytest.raises(fm.VendorUnavailable) as caught:
        look(records, deadline_s=deadline_s)
    assert records.paths("/decision/")
    assert caught.value.billing.charged is fm.Charged.NO
    limit_s = deadline_s or reconcile.DEADLINE_S
    assert records.clock.monotonic() - began <= limit_s + records.takes_s
