"""Steps that poll: statuses that continue, polls that are refused, jobs that are not finished."""

import contextlib
import json
from typing import ClassVar

import attrs
import pytest
from core.http.jobs import JobBackend, reply, served, verify
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import match_call

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import NO_FACE
from facematch_core.backend.base import fault_listeners
from facematch_core.base.deadline import SystemClock
from facematch_core.http import HttpRequest, InconclusiveRow, retry_after_s
from facematch_core.testing import ManualClock

YES = fm.Charged.YES
NO = fm.Charged.NO
UNKNOWN = fm.Charged.UNKNOWN


@attrs.frozen(kw_only=True)
class Later(JobBackend):
    """Accepts a job with 202, and is polled."""

    name = "later"
    error_codes: ClassVar = {"Hidden": InconclusiveRow(NO_FACE, NO, "documented")}
    poll_s: float = 1.0

    def steps(self, request):
        accepted = yield self.job()
        request.clock.sleep(retry_after_s(accepted) or self.poll_s)
        while True:
            try:
                reply = yield self.poll(accepted.location)
            except (fm.RateLimited, fm.VendorUnavailable) as refusal:
                request.clock.sleep(getattr(refusal, "retry_after_s", None) or self.poll_s)
                continue
            if reply.json()["state"] != "running":
                return self.parse(request, reply)
            request.clock.sleep(self.poll_s)

    def job(self, path="jobs", **options):
        return HttpRequest(
            url=f"{self.service_url}/{path}", body=b"-", **{"expects": {202}, **options}
        )

    def poll(self, url):
        headers = {"X-Key": self.api_key}
        return HttpRequest(method="GET", url=url, headers=headers, charges=0, on_refusal="raise")

    def error_code(self, reply):
        return reply.at("code")

    def reconcile(self, call, *, deadline):
        reply = self.fetch(self.poll(f"{self.service_url}/jobs/{call.vendor_id}"), call=call)
        if reply.json()["state"] == "running":
            return fm.Reconciliation(outcome=fm.Reconciled.NOT_YET, call=call, reason="It runs.")
        ids = models.Ids(call=call.id, vendor=call.vendor_id)
        return fm.Reconciliation(
            outcome=fm.Reconciled.FOUND,
            call=call,
            reason="It is done.",
            result=attrs.evolve(self.parse(call, reply), ids=ids),
        )


class Stray(Later):
    def steps(self, request):
        yield HttpRequest(url="https://evil.example/jobs", body=request.probe.data)


def accepted(job="job-7", **headers):
    return reply(202, {"job": job}, **{"Location": "/jobs/7", **headers})


ACCEPTED = accepted()
RUNNING = reply(200, {"job": "job-7", "state": "running"})
DONE = reply(200, {"job": "job-7", "state": "done", "similarity": 0.935})
OTHER = reply(200, {"job": "job-8", "state": "done", "similarity": 0.935})
BUSY = reply(429, {}, Retry_After="7")
DOWN = reply(503, {})


THRESHOLD = fm.Threshold(50.0, models.ThresholdRule.AT_LEAST)
CALL = match_call(50.0, call_id="call-7", clock=ManualClock())


def read(*replies, backend_class=Later):
    return backend_class().read_reply(CALL, *replies)


def is_lost(error):
    """What holds for every job that was paid and not heard to its end."""
    assert isinstance(error, fm.OutcomeUnknown)
    assert (error.billing.charged, error.billing.charges) == (YES, 1)
    assert (error.ids.vendor, error.retryable) == ("job-7", False)
    assert error.reconcilable
    assert "FaceVerifier.reconcile" in error.message
    assert error.call.vendor_id == "job-7"


@pytest.mark.parametrize(("deadline_s", "polls"), [(2.5, 2), (1.0, 0), (None, 299)])
def test_job_not_finished_by_the_deadline_is_charged_and_reconcilable(clock, deadline_s, polls):
    replies = [ACCEPTED] + [RUNNING] * polls
    with served(*replies) as server:
        with pytest.raises(fm.DeadlineExceeded, match="job-7") as caught:
            verify(server, clock, Later, deadline_s=deadline_s)
        assert len(server.requests) == 1 + polls
    is_lost(caught.value)


def done(**job):
    return reply(200, {"state": "done", "similarity": 0.99, **job})


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([RUNNING, OTHER], "job-8"),
        ([reply(422, {"job": "job-8", "code": "Hidden"})], "job-8"),
        ([done()], ""),
        ([done(job=777)], ""),
        ([done(job="j" * 201)], ""),
    ],
)
def test_response_for_another_job_is_rejected(clock, replies, says):
    """A cache, or a vendor that mixes its answers up, shows somebody else's face."""
    with served(ACCEPTED, *replies) as server, pytest.raises(fm.UnexpectedResponse) as caught:
        verify(server, clock, Later)
    error = caught.value
    assert (error.billing.charged, error.billing.charges) == (YES, 1)
    assert (error.ids.vendor, error.call.vendor_id) == ("job-7", "job-7")
    assert says in str(error)
    with (
        served(replies[-1]) as server,
        fm.FaceVerifier(Later(base_url=server.url)) as verifier,
        pytest.raises((fm.UnexpectedResponse, fm.RequestRejected)),
    ):
        verifier.reconcile(RECORD)


ANY = (RUNNING, DONE, BUSY, DOWN, OTHER, reply(200, {"state": ["done"]}), reply(303), reply(202))
ANY += (reply(401, {}), reply(404), reply(422, {"code": "Hidden"}))


@given(st.lists(st.sampled_from(ANY), max_size=8))
def test_job_is_charged_once_for_any_sequence_of_replies(replies):
    try:
        ended = read(ACCEPTED, *replies)
    except ValueError:
        return  # it would ask again
    assert (ended.billing.charged, ended.billing.charges) == (YES, 1)
    assert ended.ids.vendor == "job-7"
    if isinstance(ended, fm.VendorError):
        assert isinstance(ended, (fm.OutcomeUnknown, fm.UnexpectedResponse))
        assert not ended.retryable
    elif ended.decision is fm.Decision.MATCH:
        assert DONE in replies


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:5/x",
        "https://b。later.example/x",
        "https://api.jobs.example:99999/x",
        "https://evil.example/jobs/7",
        "http://api.jobs.example/jobs/7",
    ],
)
def test_location_of_another_origin_is_refused(location):
    ended = read(accepted(Location=location), DONE)
    assert type(ended) is fm.UnexpectedResponse
    assert (ended.billing.charges, ended.ids.vendor) == (1, "job-7")


def test_reconcile_finds_a_job_by_its_vendor_id(clock):
    with served(ACCEPTED, RUNNING) as server, pytest.raises(fm.DeadlineExceeded) as caught:
        verify(server, clock, Later, deadline_s=0.5)
    record = fm.CallRecord.from_dict(json.loads(json.dumps(caught.value.call.to_dict())))
    unnamed = attrs.evolve(record, vendor_id=None)
    with served(RUNNING, DONE) as server, fm.FaceVerifier(Later(base_url=server.url)) as verifier:
        assert verifier.reconcile(unnamed).outcome is fm.Reconciled.CANNOT_KNOW
        assert verifier.reconcile(caught.value).outcome is fm.Reconciled.NOT_YET
        reconciliation = verifier.reconcile(record)
    assert (reconciliation.outcome, reconciliation.result.score.value) == (
        fm.Reconciled.FOUND,
        93.5,
    )
    assert reconciliation.result.ids.call == record.id


RECORD = fm.CallRecord(
    id="call-7",
    operation=fm.Operation.MATCH,
    backend="later",
    started_at=SystemClock().now(),
    retention=fm.Retention.MINIMAL,
    threshold=THRESHOLD,
    vendor_id="job-7",
)


def test_status_is_reported_if_the_error_method_returns_none():
    class Wordless(Later):
        def error(self, reply, request):
            return None

    assert read(DOWN, backend_class=Wordless).status_code == 503


def test_no_request_is_sent_to_a_foreign_host():
    """First, it is a fault of the plug-in; on the way, one of the vendor."""
    with pytest.raises(fm.ConfigurationError, match=r"evil\.example"):
        Stray().match(match_call())
    backend = Later()
    with pytest.raises(fm.UnexpectedResponse, match=r"evil\.example") as caught:
        backend.fetch(backend.poll("https://evil.example/jobs/7"), call=None)
    assert (caught.value.billing.charged, isinstance(caught.value, fm.FATAL)) == (NO, False)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_fetch_and_on_refusal_reject_requests_that_may_be_charged(method):
    with pytest.raises(fm.ConfigurationError, match=method):
        Later().fetch(HttpRequest(method=method, url="https://api.jobs.example/"), call=None)
    with pytest.raises(fm.ConfigurationError):
        HttpRequest(method=method, url="https://api.jobs.example/", on_refusal="raise")


def test_plug_in_faults_are_passed_to_listeners(at_end):
    heard = []
    fault_listeners.append(heard.append)
    at_end.callback(fault_listeners.remove, heard.append)
    read(ACCEPTED, reply(200, {"job": "job-7", "state": "done"}))
    assert [type(fault) for fault in heard] == [KeyError]


def test_fetch_is_free_whatever_charges_the_request_declares():
    busy = reply(503, {"error": "busy"}, Retry_After="7")
    with served(busy) as server, contextlib.closing(Later(base_url=server.url)) as backend:
        request = HttpRequest(method="GET", url=f"{server.url}/jobs/7")
        assert request.charges
        with pytest.raises(fm.VendorUnavailable) as caught:
            backend.fetch(request, call=None)
    assert (caught.value.billing.charged, caught.value.retry_after_s) == (NO, 7.0)
    assert caught.value.retryable
