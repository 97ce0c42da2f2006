"""Jobs that the core follows, ids that must not change, and what is cleaned up at the end."""

import json
from typing import ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.acme import match_call
from kit.fakes import picture
from kit.jobs import JOBS_KEY, JobBackend
from kit.rawserver import http_reply, one_each

import facematch_core as fm
from facematch_core.backend import NO_FACE
from facematch_core.http import ErrorRow, HttpReply, HttpRequest, InconclusiveRow

YES, NO, UNKNOWN = fm.Charged.YES, fm.Charged.NO, fm.Charged.UNKNOWN


@attrs.frozen(kw_only=True)
class Jobs(JobBackend):
    """A job, a poll, perhaps a result elsewhere."""

    name = "jobs"
    allowed_hosts = frozenset({"api.jobs.example"})
    job_states: ClassVar = {"queued": False, "running": False, "done": True}
    error_codes: ClassVar = {"Hidden": InconclusiveRow(NO_FACE, NO, "documented")}
    base_url: str = "https://api.jobs.example/v1"

    def steps(self, call):
        reply = yield HttpRequest(url=f"{self.address}/compare", body=b"-", expects={202})
        return self.parse(call, (yield from self.follow(reply)))

    def poll(self, url):
        return attrs.evolve(super().poll(url), headers={"X-Key": self.api_key})

    def error_code(self, reply):
        return reply.at("code")

    def reconcile(self, call, *, deadline):
        url = f"{self.address}/jobs/{call.vendor_id}"
        reply = self.fetch_job(url, call=call, deadline=deadline)
        return self.reconciliation(call, reply)


class ByStatus(Jobs):
    """Its vendor says by the status alone whether a job is over."""

    job_states: ClassVar = {}


def reply(status, document=None, **headers):
    body = b"" if document is None else json.dumps(document).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, body=body, headers=headers)


def accepted(**headers):
    return reply(202, {"job": "job-7"}, **{"Location": "/jobs/7", **headers})


def state(word, status=200, job="job-7", **headers):
    return reply(status, {"job": job, "status": word, "similarity": 0.935}, **headers)


ACCEPTED, RUNNING, DONE = accepted(), state("running"), state("done")
BUSY, DOWN = reply(429, {}, Retry_After="7"), reply(503, {})
SEE_OTHER = reply(303, None, Location="/results/7?sig=a%2Bb")
RESULT = reply(200, {"similarity": 0.935})
#: The answer does not come.
LOST = None


THRESHOLD = fm.Threshold(50.0, fm.ThresholdRule.AT_LEAST)
CALL = match_call(call_id="call-7", threshold=THRESHOLD)


def read(*replies, by=Jobs):
    return by().read_reply(CALL, *replies)


def served(*replies):
    """A server that gives one answer for each connection."""
    return one_each(
        *[
            http_reply(
                reply.status,
                reply.body,
                "Connection: close",
                *map(": ".join, reply.headers.items()),
            )
            if reply
            else b""
            for reply in replies
        ]
    )


def verify(server, clock, by=Jobs, deadline_s=None, **settings):
    with fm.FaceVerifier(by(base_url=f"{server.url}v1", **settings), clock=clock) as verifier:
        return verifier.verify(picture(), picture((1, 2, 3)), deadline_s=deadline_s)


def paths(server):
    return [request.split()[1].decode() for request in server.requests]


def is_lost_job(error, kind=fm.OutcomeUnknown):
    assert type(error) is kind
    assert (error.billing.charged, error.billing.charges) == (YES, 1)
    assert (error.ids.vendor, error.retryable, error.reconcilable) == ("job-7", False, True)
    assert error.call is None or error.call.vendor_id == "job-7"
    assert not isinstance(error, fm.errors.FATAL)


@pytest.mark.parametrize(
    ("replies", "slept"),
    [
        ((ACCEPTED, RUNNING, RUNNING, RUNNING, DONE), [1.0, 1.5, 2.25, 3.375]),
        ((ACCEPTED, *[RUNNING] * 7, DONE), [1.0, 1.5, 2.25, 3.375, 5.0625, 7.59375, 10.0, 10.0]),
        ((accepted(Retry_After="4"), state("queued", Retry_After="0"), DONE), [4.0, 0.5]),
        ((ACCEPTED, BUSY, BUSY, BUSY, BUSY, DONE), [1.0, 7.0, 7.0, 7.0, 7.0]),
        (
            (ACCEPTED, DOWN, LOST, RUNNING, LOST, DOWN, DONE),
            [1.0, 1.5, 2.25, 3.375, 5.0625, 7.59375],
        ),
        ((ACCEPTED, reply(503, {}, Retry_After="2"), DONE), [1.0, 2.0]),
        ((ACCEPTED, reply(202), DONE), [1.0, 1.5]),
    ],
    ids=[
        "pauses grow",
        "up to ten",
        "as the vendor asks",
        "too early",
        "faults",
        "503",
        "no state",
    ],
)
def test_a_job_is_followed_to_its_end(clock, replies, slept):
    with served(*replies) as server:
        result = verify(server, clock)
    assert (result.is_match, result.score.value, result.ids.vendor) == (True, 93.5, "job-7")
    assert (result.billing.charged, result.billing.charges) == (YES, 1)
    assert clock.slept == slept
    assert f"X-Key: {JOBS_KEY}".encode() in server.requests[-1]


@pytest.mark.parametrize("by", [Jobs, ByStatus])
def test_a_303_leads_to_the_result_at_once(clock, by):
    with served(ACCEPTED, reply(202), SEE_OTHER, DOWN, RESULT) as server:
        assert verify(server, clock, by=by).is_match
    assert paths(server) == ["/v1/compare", "/jobs/7", "/jobs/7", *["/results/7?sig=a%2Bb"] * 2]
    assert clock.slept == [1.0, 1.5, 2.25]


def test_the_status_alone_can_say_that_a_job_is_over():
    assert read(ACCEPTED, state("whatever", 202), RESULT, by=ByStatus).is_match


def test_an_answer_may_name_another_place_to_ask(clock):
    moved = state("running", Operation_Location="/v1/other?a=b", Location="/result")
    with served(accepted(Location="jobs/7"), moved, DONE) as server:
        assert verify(server, clock).is_match
    assert paths(server) == ["/v1/compare", "/v1/jobs/7", "/v1/other?a=b"]


@pytest.mark.parametrize(
    "location",
    [
        "https://corp.example/jobs/7",
        "https://corp.example:443/jobs/7",
        "https://CORP.Example/jobs/7",
        "//corp.example/jobs/7?api-version=2",
        "jobs/7?sig=a%2Bb",
    ],
)
def test_an_address_is_the_same_however_it_is_written(location):
    backend = Jobs(base_url="https://corp.example", allow_base_url=True)
    result = backend.read_reply(CALL, accepted(Location=location), DONE)
    assert result.is_match


@pytest.mark.parametrize(
    "location",
    [
        "https://korp.example:8443/jobs/7",
        "http://korp.example:443/jobs/7",
        "https://korp.example.evil.example/",
        "https://korp.example:443:443/",
        "https://\N{KELVIN SIGN}orp.example/",
        "https://user@korp.example/",
        "http://[",
    ],
)
def test_another_address_gets_no_key(location):
    backend = Jobs(base_url="https://korp.example", allow_base_url=True)
    error = backend.read_reply(CALL, accepted(Location=location), DONE)
    assert type(error) is fm.UnexpectedResponse
    assert (error.billing.charges, error.ids.vendor) == (1, "job-7")


@pytest.mark.parametrize(
    "replies",
    [
        (reply(202, {"job": "job-7"}),),
        (ACCEPTED, state("paused")),
        (ACCEPTED, state("Done")),
        (ACCEPTED, state(["done"])),
        (ACCEPTED, reply(200, {"job": "job-7"})),
        (ACCEPTED, reply(200)),
        (ACCEPTED, reply(303)),
    ],
    ids=["nowhere", "unknown", "capitals", "no text", "no state", "empty", "no result"],
)
def test_what_nobody_can_follow_ends_at_once(replies):
    error = read(*replies)
    assert type(error) is fm.UnexpectedResponse
    assert (error.billing.charged, error.billing.charges, error.retryable) == (YES, 1, False)
    assert error.ids.vendor == "job-7"


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 410, 422])
@pytest.mark.parametrize("body", [{}, None])
def test_a_refused_poll_ends_soon_and_loses_no_job(clock, status, body):
    with served(ACCEPTED, reply(status, body)) as server, pytest.raises(fm.VendorError) as caught:
        verify(server, clock)
    is_lost_job(caught.value)
    assert (caught.value.status_code, len(server.requests)) == (status, 2)
    assert "job-7" in str(caught.value)
    is_lost_job(read(ACCEPTED, reply(303, None, Location="/r"), reply(status, body)))


@pytest.mark.parametrize("failures", [(DOWN,) * 3, (LOST,) * 3, (DOWN, BUSY, LOST, reply(502))])
def test_polls_that_fail_again_and_again_end_soon(clock, failures):
    with (
        served(ACCEPTED, RUNNING, *failures) as server,
        pytest.raises(fm.OutcomeUnknown) as caught,
    ):
        verify(server, clock)
    is_lost_job(caught.value)
    assert len(server.requests) == 2 + len(failures)


@pytest.mark.parametrize(("deadline_s", "settings"), [(2.5, {}), (None, {"call_timeout_s": 2.5})])
def test_a_job_is_followed_within_the_deadline(clock, deadline_s, settings):
    with (
        served(ACCEPTED, *[RUNNING] * 2) as server,
        pytest.raises(fm.DeadlineExceeded) as caught,
    ):
        verify(server, clock, deadline_s=deadline_s, **settings)
    is_lost_job(caught.value, fm.DeadlineExceeded)
    assert clock.slept == [1.0, 0.75]


def test_a_vendors_own_word_about_a_job_stands():
    class Worded(Jobs):
        error_codes: ClassVar = {
            "Small": ErrorRow(fm.RequestRejected, NO, "documented", "too small")
        }

    error = read(ACCEPTED, reply(422, {"code": "Small"}), by=Worded)
    assert type(error) is fm.RequestRejected
    assert (error.billing.charges, error.ids.vendor) == (1, "job-7")
    assert read(ACCEPTED, reply(422, {"code": "Hidden"})).warnings[0].code == NO_FACE.code


def test_a_job_outlives_the_client(clock):
    backend = Jobs()

    class Closing(type(clock)):
        def sleep(self, seconds):
            backend.close()

    with served(ACCEPTED, DONE) as server:
        backend = Jobs(base_url=f"{server.url}v1")
        verifier = fm.FaceVerifier(backend, clock=Closing())
        try:
            assert verifier.verify(picture(), picture((1, 2, 3))).is_match
        except fm.OutcomeUnknown as error:
            is_lost_job(error)


ANY = (
    *(RUNNING, DONE, BUSY, DOWN, RESULT, SEE_OTHER, state("paused"), state("done", job="job-8")),
    *(reply(202), reply(204), reply(401, {}), reply(404), reply(422, {"code": "Hidden"})),
)


@given(st.lists(st.sampled_from(ANY), max_size=8))
def test_whatever_is_answered_about_a_job_it_is_charged_once(replies):
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
        assert DONE in replies or RESULT in replies


# The id of a job.

OTHER = state("done", job="job-8")


@pytest.mark.parametrize(
    "replies",
    [
        (OTHER,),
        (state("running", job="job-8"), DONE),
        (RUNNING, OTHER),
        (SEE_OTHER, OTHER),
        (reply(422, {"job": "job-8", "code": "Hidden"}),),
    ],
    ids=["done", "running", "later", "result", "no face"],
)
def test_an_answer_about_another_job_is_no_verdict(clock, replies):
    with served(ACCEPTED, *replies) as server, pytest.raises(fm.UnexpectedResponse) as caught:
        verify(server, clock)
    error = caught.value
    assert (error.billing.charged, error.billing.charges) == (YES, 1)
    assert (error.ids.vendor, error.call.vendor_id) == ("job-7", "job-7")
    assert "job-8" in str(error)


def test_the_id_of_one_request_is_not_compared():
    class Numbered(Jobs):
        request_id_header = "X-Request"

    numbered = [
        attrs.evolve(reply, headers={**reply.headers, "X-Request": f"r-{number}"})
        for number, reply in enumerate((ACCEPTED, RUNNING, DONE))
    ]
    result = read(*numbered, by=Numbered)
    assert (result.is_match, result.ids.vendor) == (True, "job-7")


def test_a_first_answer_may_have_no_id():
    result = read(reply(202, {}, Location="/jobs/7"), RUNNING, DONE)
    assert (result.is_match, result.ids.vendor) == (True, "job-7")


RECORD = fm.CallRecord(
    id="call-7",
    operation=fm.Operation.MATCH,
    backend="jobs",
    started_at=fm.SystemClock().now(),
    kept=False,
    threshold=THRESHOLD,
    vendor_id="job-7",
)


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ((DONE,), fm.Reconciled.FOUND),
        ((RUNNING,), fm.Reconciled.NOT_YET),
        ((reply(202),), fm.Reconciled.NOT_YET),
        ((SEE_OTHER, RESULT), fm.Reconciled.FOUND),
    ],
)
def test_a_job_is_reconciled(replies, outcome):
    with served(*replies) as server, fm.FaceVerifier(Jobs(base_url=server.url[:-1])) as verifier:
        assert verifier.reconcile(RECORD).outcome is outcome


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ((OTHER,), fm.UnexpectedResponse),
        ((state("running", job="job-8"),), fm.UnexpectedResponse),
        ((SEE_OTHER, OTHER), fm.UnexpectedResponse),
        ((state("paused"),), fm.UnexpectedResponse),
        ((DOWN,), fm.VendorUnavailable),
        ((LOST,), fm.VendorUnavailable),
    ],
)
def test_records_that_speak_of_another_job_find_nothing(replies, error):
    with (
        served(*replies) as server,
        fm.FaceVerifier(Jobs(base_url=server.url[:-1])) as verifier,
        pytest.raises(error) as caught,
    ):
        verifier.reconcile(RECORD)
    assert caught.value.billing.charged is NO


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_only_what_may_be_asked_again_is_fetched(method):
    with pytest.raises(fm.ConfigurationError, match=method):
        Jobs().fetch(HttpRequest(method=method, url="https://api.jobs.example/"), call=None)


# What is cleaned up.


def removes(path):
    return HttpRequest(
        method="DELETE", url=f"https://unused.example/{path}", charges=0, is_cleanup=True
    )


class Tidy(Jobs):
    """Makes a person and a check, and leaves neither."""

    def remove(self, path):
        return attrs.evolve(removes(path), url=f"{self.address}/{path}")

    def steps(self, call):
        reply = yield HttpRequest(url=f"{self.address}/people", body=b"-", charges=0)
        yield self.remove("people/1")
        reply = yield HttpRequest(url=f"{self.address}/checks", body=b"-")
        yield self.remove("checks/1")
        return self.parse(call, reply)

    def sign(self, request, call, *, deadline):
        return attrs.evolve(request, headers={"X-Key": self.api_key})

    def vendor_id(self, reply):
        return reply.at("check")


PERSON, CHECKED, GONE = reply(200, {}), reply(200, {"similarity": 0.935}), reply(204)


def test_what_a_call_leaves_is_removed_at_its_end_the_latest_first(clock):
    with served(PERSON, CHECKED, GONE, GONE) as server:
        result = verify(server, clock, by=Tidy)
    assert paths(server) == ["/v1/people", "/v1/checks", "/v1/checks/1", "/v1/people/1"]
    assert all(f"X-Key: {JOBS_KEY}".encode() in request for request in server.requests)
    assert (result.decision, result.warnings) == (fm.Decision.MATCH, ())


@pytest.mark.parametrize(
    "failure", [reply(404, {"message": f"no {JOBS_KEY}"}), reply(401, {}), DOWN, LOST, reply(302)]
)
def test_what_cannot_be_removed_is_a_warning_and_changes_nothing_else(clock, failure):
    with served(PERSON, CHECKED, failure, GONE) as server:
        result = verify(server, clock, by=Tidy)
    assert len(server.requests) == 4
    assert (result.decision, result.billing.charges) == (fm.Decision.MATCH, 1)
    (warning,) = result.warnings
    assert (warning.code, warning.tag) == (fm.WarningCode.OTHER, "not_cleaned_up")
    assert not warning.severity.is_grave
    assert JOBS_KEY not in repr(result)


@pytest.mark.parametrize(
    ("replies", "error", "charged"),
    [
        ((reply(400, {}), GONE), fm.RequestRejected, NO),
        ((reply(200, {"odd": 1}), GONE, GONE), fm.UnexpectedResponse, YES),
        ((DOWN, GONE), fm.OutcomeUnknown, UNKNOWN),
        ((reply(400, {}), DOWN), fm.RequestRejected, NO),
    ],
    ids=["refused", "unreadable", "unknown", "not removed"],
)
def test_it_is_removed_after_an_error_as_well(clock, replies, error, charged):
    with served(PERSON, *replies) as server, pytest.raises(error) as caught:
        verify(server, clock, by=Tidy)
    assert type(caught.value) is error
    assert caught.value.billing.charged is charged
    assert len(server.requests) == 1 + len(replies)
    assert paths(server)[-1] == "/v1/people/1"
    assert ("not removed" in str(caught.value)) is (replies[-1] is DOWN)


class TidyJobs(Tidy):
    """Cleans up after a job."""

    def steps(self, call):
        reply = yield HttpRequest(url=f"{self.address}/compare", body=b"-", expects={202})
        yield self.remove("jobs/7")
        return self.parse(call, (yield from self.follow(reply)))

    def vendor_id(self, reply):
        return reply.at("job")


class AnyId(Tidy):
    """Takes whatever is called an id for that of the call."""

    def vendor_id(self, reply):
        return reply.at("id")


def test_the_id_of_a_call_is_that_of_what_is_charged(clock):
    """A person who is made before has an id, too: nobody could look for the check by that."""
    person, checked = reply(200, {"id": "p-1"}), {"id": "c-1", "similarity": 0.935}
    with served(person, reply(200, checked), GONE, GONE) as server:
        assert verify(server, clock, by=AnyId).ids.vendor == "c-1"
    with served(person, reply(200, {"id": "c-1"}), GONE, GONE) as server:
        with pytest.raises(fm.UnexpectedResponse) as caught:
            verify(server, clock, by=AnyId)
        assert caught.value.ids.vendor == "c-1"


def test_what_may_still_be_looked_for_is_not_removed(clock):
    with served(ACCEPTED, RUNNING) as server, pytest.raises(fm.DeadlineExceeded):
        verify(server, clock, by=TidyJobs, deadline_s=0.5)
    assert len(server.requests) == 2
    with served(ACCEPTED, DONE, GONE) as server:
        assert verify(server, clock, by=TidyJobs).is_match
    assert len(server.requests) == 3


def test_nothing_is_removed_when_no_time_is_left(clock):
    class Slow(Tidy):
        def parse(self, call, reply):
            clock.advance(10)
            return super().parse(call, reply)

    with served(PERSON, CHECKED) as server:
        result = verify(server, clock, by=Slow, deadline_s=5)
    assert [warning.tag for warning in result.warnings] == ["not_cleaned_up"]
    assert len(server.requests) == 2


def test_a_caller_who_has_gone_waits_for_no_clean_up():
    from facematch_core._cancellation import CANCELLATION, Cancellation

    cancellation = Cancellation()

    class Gone(Tidy):
        def parse(self, call, reply):
            cancellation.cancel()
            return super().parse(call, reply)

    token = CANCELLATION.set(cancellation)
    try:
        with served(PERSON, CHECKED) as server:
            assert Gone(base_url=server.url[:-1]).match(match_call()).score.value == 93.5
        assert len(server.requests) == 2
    finally:
        CANCELLATION.reset(token)


def test_a_fault_of_the_signature_is_a_warning(clock):
    class Forgetful(Tidy):
        def sign(self, request, call, *, deadline):
            return request if request.method == "POST" else {}[JOBS_KEY]

    with served(PERSON, CHECKED) as server:
        result = verify(server, clock, by=Forgetful)
    assert [warning.tag for warning in result.warnings] == ["not_cleaned_up"]
    assert (result.is_match, JOBS_KEY in repr(result)) == (True, False)


def test_clean_ups_are_no_part_of_replies_that_are_read():
    assert read(PERSON, CHECKED, by=Tidy).is_match


def test_a_clean_up_costs_nothing():
    with pytest.raises(fm.ConfigurationError):
        HttpRequest(url="https://api.jobs.example/", is_cleanup=True)


# Refusals in a 200.


class Polite(Jobs):
    """Refuses with 200, as its vendor does."""

    codes_in_200 = True
    error_codes: ClassVar = {
        "Limit": ErrorRow(fm.RateLimited, NO, "documented", "too many"),
        "Hidden": InconclusiveRow(NO_FACE, YES, "documented"),
        "Paid": ErrorRow(fm.RequestRejected, YES, "documented", "no"),
    }

    def steps(self, call):
        yield HttpRequest(url=f"{self.address}/first", body=b"-", charges=2)
        return self.parse(call, (yield HttpRequest(url=self.address, body=b"-", charges=3)))

    def error_code(self, reply):
        return reply.json().get("code")


FINE = reply(200, {"similarity": 0.935})


def test_a_code_in_a_200_is_a_refusal():
    assert read(FINE, FINE, by=Polite).billing.charges == 5
    error = read(reply(200, {"code": "Limit"}, Retry_After="7"), by=Polite)
    assert (type(error), error.billing.charged, error.retryable) == (fm.RateLimited, NO, True)
    assert (error.status_code, error.retry_after_s) == (200, 7.0)
    error = read(FINE, reply(200, {"code": "Limit"}), by=Polite)
    assert (error.billing.charged, error.billing.charges, error.retryable) == (YES, 2, False)
    result = read(FINE, reply(200, {"code": "Hidden"}), by=Polite)
    assert (result.decision, result.warnings[0].tag) == (fm.Decision.INCONCLUSIVE, "Hidden")
    assert (result.billing.charged, result.billing.charges) == (YES, 5)


@pytest.mark.parametrize("code", ["Hidden", "Paid"])
def test_a_code_in_a_200_that_is_charged_costs_all_that_such_an_answer_costs(code):
    outcome = read(reply(200, {"code": code}), by=Polite)
    assert (outcome.billing.charged, outcome.billing.charges) == (YES, 2)


@pytest.mark.parametrize("charged", [YES, NO, UNKNOWN])
@pytest.mark.parametrize("status", [200, 400])
def test_what_a_poll_finds_out_is_not_charged_a_second_time(charged, status):
    class Later(Jobs):
        codes_in_200 = True
        error_codes: ClassVar = {"Hidden": InconclusiveRow(NO_FACE, charged, "documented")}

    result = read(ACCEPTED, reply(status, {"job": "job-7", "code": "Hidden"}), by=Later)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert (result.billing.charged, result.billing.charges) == (YES, 1)


@pytest.mark.parametrize("body", [{"code": "Odd"}, {"code": 7}, [1]], ids=["odd", "number", "list"])
def test_a_code_that_nobody_knows_is_not_called_free(body):
    error = read(FINE, reply(200, body), by=Polite)
    assert type(error) is fm.UnexpectedResponse
    assert (error.billing.charged, error.billing.charges) == (YES, 5)


# What the vendor says besides.


def test_headers_that_the_backend_names_are_on_the_result(clock):
    class Talking(Jobs):
        result_headers = frozenset({"X-Request-Id", "X-Left", "X-Absent"})

    first, last = accepted(X_Left="9", X_Other="no"), state("done", X_Request_ID=f"r {JOBS_KEY}")
    with served(first, last) as server:
        result = verify(server, clock, by=Talking)
    assert dict(result.headers) == {"X-Left": "9", "X-Request-Id": "r ***"}
    assert fm.MatchResult.from_dict(result.to_dict()).headers == result.headers
    assert "X-Left" not in repr(result)
    assert read(ACCEPTED, DONE).headers == {}
