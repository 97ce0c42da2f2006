"""What a call leaves at the vendor is removed at its end, and that changes nothing else."""

import contextlib
import time

import attrs
import pytest
from core.http.jobs import JOBS_KEY, JobBackend, paths, reply, served, verify
from kit.fakes import match_call
from kit.rawserver import RawServer, hold, http_reply, read_request, send

import facematch_core as fm
from facematch_core.base.deadline import CANCELLATION, CallCancelled, Cancellation, SystemClock
from facematch_core.http import MOCK_HEADER, HttpRequest, Wait

YES = fm.Charged.YES
NO = fm.Charged.NO
UNKNOWN = fm.Charged.UNKNOWN


@attrs.frozen(kw_only=True)
class Tidy(JobBackend):
    """Makes a person and a check, and leaves neither."""

    name = "tidy"

    def remove(self, path):
        url = f"{self.service_url}/{path}"
        return HttpRequest(method="DELETE", url=url, charges=0, is_cleanup=True)

    def steps(self, request):
        reply = yield HttpRequest(url=f"{self.service_url}/people", body=b"-", charges=0)
        yield self.remove("people/1")
        reply = yield HttpRequest(url=f"{self.service_url}/checks", body=b"-")
        yield self.remove("checks/1")
        return self.parse(request, reply)

    def sign(self, http_request, request, *, deadline):
        return attrs.evolve(http_request, headers={"X-Key": self.api_key})

    def vendor_id(self, reply):
        return reply.at("check")


ACCEPTED = reply(202, {"job": "job-7"})
PERSON = reply(200, {})
CHECKED = reply(200, {"similarity": 0.935})
GONE = reply(204)
DOWN = reply(503, {})
#: The answer does not come.
LOST = None
MOCKED = {MOCK_HEADER: "yes"}


def test_no_clean_up_after_a_response_without_the_mock_header(clock):
    @attrs.frozen(kw_only=True)
    class Mocked(Tidy):
        environment: fm.Environment = fm.Environment.MOCK

    person = attrs.evolve(PERSON, headers=MOCKED)
    checked = attrs.evolve(CHECKED, headers=MOCKED)
    gone = attrs.evolve(GONE, headers=MOCKED)
    with served(person, checked, GONE, gone) as server:
        result = verify(server, clock, backend_class=Mocked)
    assert [warning.tag for warning in result.warnings] == ["not_cleaned_up"]
    assert len(server.requests) == 4
    with served(person, CHECKED) as server, pytest.raises(fm.EnvironmentMismatch):
        verify(server, clock, backend_class=Mocked)
    assert len(server.requests) == 2


@pytest.mark.parametrize("failure", [reply(404, {"message": f"no {JOBS_KEY}"}), DOWN, LOST])
def test_failed_clean_up_is_only_a_warning(clock, failure):
    with served(PERSON, CHECKED, failure, GONE) as server:
        result = verify(server, clock, backend_class=Tidy)
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
def test_clean_up_also_runs_after_an_error(clock, replies, error, charged):
    with served(PERSON, *replies) as server, pytest.raises(error) as caught:
        verify(server, clock, backend_class=Tidy)
    assert type(caught.value) is error
    assert caught.value.billing.charged is charged
    assert len(server.requests) == 1 + len(replies)
    assert paths(server)[-1] == "/people/1"
    assert ("not removed" in str(caught.value)) is (replies[-1] is DOWN)


class TidyLater(Tidy):
    """Cleans up after a job, of which it asks once."""

    def steps(self, request):
        yield HttpRequest(url=f"{self.service_url}/compare", body=b"-", expects={202})
        yield self.remove("jobs/7")
        yield Wait(1)
        reply = yield HttpRequest(method="GET", url=f"{self.service_url}/jobs/7", charges=0)
        return self.parse(request, reply)

    def vendor_id(self, reply):
        return reply.at("job") or ("job-7" if reply.url.endswith("/jobs/7") else None)


def test_vendor_id_comes_from_the_charged_request(clock):
    """A person who is made before has an id, too: nobody could look for the check by that."""

    class AnyId(Tidy):
        def vendor_id(self, reply):
            return reply.at("id")

    person = reply(200, {"id": "p-1"})
    checked = {"id": "c-1", "similarity": 0.935}
    with served(person, reply(200, checked), GONE, GONE) as server:
        assert verify(server, clock, backend_class=AnyId).ids.vendor == "c-1"
    with served(person, reply(200, {"id": "c-1"}), GONE, GONE) as server:
        with pytest.raises(fm.UnexpectedResponse) as caught:
            verify(server, clock, backend_class=AnyId)
        assert caught.value.ids.vendor == "c-1"


@pytest.mark.parametrize(
    ("odd", "error"),
    [
        (DOWN, fm.OutcomeUnknown),
        (reply(200, {"job": 7}), fm.UnexpectedResponse),
    ],
)
def test_a_paid_job_that_reconcile_may_still_find_is_not_removed(clock, odd, error):
    with served(ACCEPTED, odd) as server, pytest.raises(error) as caught:
        verify(server, clock, backend_class=TidyLater)
    assert len(server.requests) == 2
    assert caught.value.billing.charged is YES
    with served(ACCEPTED, CHECKED, GONE) as server:
        assert verify(server, clock, backend_class=TidyLater).is_match
    assert len(server.requests) == 3


@pytest.mark.slow
def test_wait_for_hanging_clean_ups_is_limited():
    began = time.monotonic()
    scripts = []
    for answer in (PERSON, CHECKED):
        data = http_reply(answer.status, answer.body, "Connection: close")
        scripts.append([read_request, send(data)])
    scripts += [[read_request, hold], [read_request, hold]]
    with RawServer(scripts) as server:
        result = verify(server, SystemClock(), backend_class=Tidy)
    assert time.monotonic() - began < 10
    assert result.is_match
    assert [warning.tag for warning in result.warnings] == ["not_cleaned_up"]


@pytest.mark.parametrize(
    ("backend_class", "replies", "removed_path"),
    [
        (Tidy, [PERSON, reply(202, {}), GONE, GONE], "/people/1"),
        (TidyLater, [reply(202, {}), GONE, GONE], "/jobs/7"),
    ],
)
def test_clean_up_runs_after_the_call_is_cancelled(backend_class, replies, removed_path):
    cancellation = Cancellation()

    class Gone(backend_class):
        def sign(self, http_request, request, *, deadline):
            if http_request.url.endswith(("/checks", "/compare")):
                cancellation.cancel()
            return super().sign(http_request, request, deadline=deadline)

        def reconcilable(self, call):
            return False

    token = CANCELLATION.set(cancellation)
    try:
        server = served(*replies)
        with server, contextlib.suppress(CallCancelled, fm.UnexpectedResponse):
            Gone(base_url=server.url).match(match_call())
        assert paths(server)[-1] == removed_path
    finally:
        CANCELLATION.reset(token)


def test_after_ctrl_c_skipped_clean_ups_are_logged(clock, caplog):
    class Stopped(Tidy):
        def parse(self, request, reply):
            raise KeyboardInterrupt

    with served(PERSON, CHECKED) as server, pytest.raises(KeyboardInterrupt):
        verify(server, clock, backend_class=Stopped)
    assert len(server.requests) == 2
    (record,) = [each for each in caplog.records if each.name == "facematch"]
    assert "tidy" in record.getMessage()
    assert JOBS_KEY not in record.getMessage()


def test_no_clean_up_if_no_request_was_sent(clock):
    class Away(Tidy):
        def steps(self, request):
            yield self.remove("people/0")
            yield from super().steps(request)

        def sign(self, http_request, request, *, deadline):
            if http_request.method == "POST":
                raise fm.VendorUnavailable("No token.")
            return http_request

    with served() as server, pytest.raises(fm.VendorUnavailable):
        verify(server, clock, backend_class=Away)
    assert server.connections == []


def test_error_while_signing_a_clean_up_is_a_warning(clock):
    class Forgetful(Tidy):
        def sign(self, http_request, request, *, deadline):
            return http_request if http_request.method == "POST" else {}[JOBS_KEY]

    with served(PERSON, CHECKED) as server:
        result = verify(server, clock, backend_class=Forgetful)
    assert [warning.tag for warning in result.warnings] == ["not_cleaned_up"]
    assert result.is_match
    assert JOBS_KEY not in repr(result)


def test_clean_ups_must_be_free_and_need_no_reply_in_read_reply():
    assert Tidy().read_reply(match_call(), PERSON, CHECKED).score.value == 93.5
    with pytest.raises(fm.ConfigurationError):
        HttpRequest(url="https://api.jobs.example/", is_cleanup=True)
