"""Vendors that answer later: statuses that continue, waits, polls that are refused, lost jobs."""

import json
import threading

import anyio
import attrs
import pytest
from kit.fakes import picture
from kit.rawserver import RawServer, answer, close, read_request, send

import facematch_core as fm
from facematch_core.aio import AsyncFaceVerifier
from facematch_core.backend import Capabilities, MatchCall, decide_by_threshold, plugin_faults
from facematch_core.http import ApiKeyBackend, HttpReply, HttpRequest, Wait, retry_after_s
from facematch_core.testing import ManualClock

KEY = "later-key-5d41402abc4b2a76"
SCALE = "later/v1"


@attrs.frozen(kw_only=True)
class Later(ApiKeyBackend):
    """Accepts a job with 202, and is polled."""

    name = "later"
    allowed_hosts = frozenset({"api.later.example"})
    capabilities = Capabilities(
        score_scale=SCALE,
        default_threshold=50.0,
        billed_operations=frozenset({fm.Operation.MATCH}),
    )
    base_url: str = "https://api.later.example"
    poll_s: float = 1.0

    def steps(self, call):
        accepted = yield HttpRequest(
            url=f"{self.address}/jobs",
            headers={"X-Key": self.api_key},
            body=call.probe.data,
            expects={202},
        )
        where = accepted.headers["Location"]
        url = where if where.startswith("http") else f"{self.address}{where}"
        yield Wait(retry_after_s(accepted) or self.poll_s)
        while True:
            try:
                reply = yield self.poll(url)
            except (fm.RateLimited, fm.VendorUnavailable) as refusal:
                yield Wait(getattr(refusal, "retry_after_s", None) or self.poll_s)
                continue
            if reply.json()["state"] != "running":
                return self.parse(call, reply)
            yield Wait(self.poll_s)

    def poll(self, url):
        headers = {"X-Key": self.api_key}
        return HttpRequest(method="GET", url=url, headers=headers, charges=0, on_refusal="raise")

    def parse(self, call, reply):
        score = fm.Score.from_fraction(reply.json()["similarity"], SCALE)
        return fm.MatchResult(
            decision=decide_by_threshold(score, call.threshold), score=score, backend=self.name
        )

    def vendor_id(self, reply):
        return reply.at("job")

    def reconcilable(self, call):
        return call.vendor_id is not None

    def reconcile(self, call, *, deadline_s=None):
        reply = self.fetch(self.poll(f"{self.address}/jobs/{call.vendor_id}"))
        if reply.json()["state"] == "running":
            return fm.Reconciliation(outcome=fm.Reconciled.NOT_YET, call=call, reason="It runs.")
        found = attrs.evolve(
            self.parse(call, reply), ids=fm.Ids(call=call.id, vendor=call.vendor_id)
        )
        return fm.Reconciliation(
            outcome=fm.Reconciled.FOUND, call=call, reason="It is done.", result=found
        )


def reply(status, document=None, **headers):
    body = b"" if document is None else json.dumps(document).encode()
    return HttpReply(
        status=status, body=body, headers={n.replace("_", "-"): v for n, v in headers.items()}
    )


ACCEPTED = reply(202, {"job": "job-7"}, Location="/jobs/job-7")
RUNNING = reply(200, {"state": "running"})
DONE = reply(200, {"state": "done", "similarity": 0.935})
BUSY, DOWN = reply(429, {}, Retry_After="7"), reply(503, {})


def call(**more):
    return MatchCall(probe=picture(), reference=picture((1, 2, 3)), call_id="call-7", **more)


def read(*replies, backend=None, **more):
    return (backend or Later(api_key=KEY)).read_reply(call(**more), *replies)


def served(*replies):
    """A server that gives one answer for each connection."""

    def script(one):
        lines = [f"{name}: {value}" for name, value in one.headers.items()]
        return [
            read_request,
            send(answer(one.status, one.body, "Connection: close", *lines)),
            close,
        ]

    return RawServer([script(one) for one in replies])


def polling(server, **settings):
    clock = ManualClock()
    return fm.FaceVerifier(Later(api_key=KEY, base_url=server.url, **settings), clock=clock), clock


def lost(error, charges=1):
    """What holds for every job that was paid and not heard to its end."""
    assert isinstance(error, fm.OutcomeUnknown)
    assert (error.billing.charged, error.billing.charges) == (fm.Charged.YES, charges)
    assert (error.ids.vendor, error.retryable, error.reconcilable) == ("job-7", False, True)


def test_a_job_is_accepted_polled_and_read():
    """The waits pass on the verifier's clock; the price is that of the first request alone."""
    with served(ACCEPTED, RUNNING, BUSY, DOWN, DONE) as server:
        verifier, clock = polling(server)
        with verifier:
            result = verifier.verify(picture(), picture((1, 2, 3)))
    assert (result.is_match, result.score.value, result.ids.vendor) == (True, 93.5, "job-7")
    assert (result.billing.charged, result.billing.charges) == (fm.Charged.YES, 1)
    assert clock.slept == [1.0, 1.0, 7.0, 1.0]


def test_replies_are_read_without_waiting():
    """And refusals reach the steps as they would from the vendor."""
    assert read(ACCEPTED, RUNNING, BUSY, DOWN, DONE).score.value == 93.5
    with pytest.raises(ValueError, match="2 replies"):
        read(ACCEPTED, RUNNING)


def test_a_wait_that_the_vendor_asks_for():
    """Headers of a reply reach the steps."""
    with served(reply(202, {}, Location="/jobs/7", Retry_After="4"), DONE) as server:
        verifier, clock = polling(server)
        with verifier:
            assert verifier.verify(picture(), picture((1, 2, 3))).is_match
    assert clock.slept == [4.0]


@pytest.mark.parametrize("status", [200, 201, 404, 500])
def test_what_is_not_expected_ends_the_call(status):
    """200 too, where 202 is what continues."""
    told = read(reply(status, {}), DONE)
    assert isinstance(told, fm.VendorError)
    assert (told.status_code, told.ids.vendor) == (status, None)


@pytest.mark.parametrize(("deadline_s", "polls"), [(2.5, 3), (1.0, 1), (0.5, 1)])
def test_a_job_that_is_not_done_in_time(deadline_s, polls):
    """A wait that does not fit is cut short for a last poll; then the call says what is known."""
    with served(ACCEPTED, *[RUNNING] * polls) as server:
        verifier, clock = polling(server)
        with verifier, pytest.raises(fm.DeadlineExceeded) as caught:
            verifier.verify(picture(), picture((1, 2, 3)), deadline_s=deadline_s)
        assert sum(clock.slept) <= deadline_s
        lost(caught.value)
        assert "job-7" in str(caught.value)
        assert caught.value.call.vendor_id == "job-7"
        assert len(server.requests) == 1 + polls


def test_a_job_that_is_done_before_the_next_poll_would_be():
    """The last poll comes while there is time to hear it."""
    with served(
        reply(202, {"job": "job-7"}, Location="/jobs/7", Retry_After="900"), DONE
    ) as server:
        verifier, clock = polling(server)
        with verifier:
            result = verifier.verify(picture(), picture((1, 2, 3)), deadline_s=2)
    assert (result.is_match, clock.slept) == (True, [1.0])


def test_the_id_of_a_job_is_the_first_that_is_given():
    """What a refusal or a poll calls itself is another thing; a request's own header too."""

    @attrs.frozen(kw_only=True)
    class Named(GivesUp):
        request_id_header = "X-Request"

    other = reply(429, {"job": "req-9"}, X_Request="r-9")
    told = read(ACCEPTED, other, backend=Named(api_key=KEY))
    assert (told.ids.vendor, "job-7" in str(told)) == ("job-7", True)
    told = read(
        reply(202, {}, Location="/jobs/7", X_Request="r-1"), other, backend=Named(api_key=KEY)
    )
    assert told.ids.vendor == "req-9"
    told = read(
        reply(202, {}, Location="/jobs/7", X_Request="r-1"), DOWN, backend=Named(api_key=KEY)
    )
    assert (told.ids.vendor, told.reconcilable) == ("r-1", False)


@pytest.mark.parametrize("odd", ["job\r\n7", "job\x1b[31m", "j" * 201])
def test_what_nobody_can_read_is_no_id(odd):
    assert read(reply(202, {"job": odd}, Location="/jobs/7"), DONE).ids.vendor is None


def test_without_a_deadline_a_job_has_its_own_longest_time():
    with served(ACCEPTED, RUNNING, RUNNING, RUNNING) as server:
        verifier, clock = polling(server, call_timeout_s=2.5)
        with verifier, pytest.raises(fm.DeadlineExceeded) as caught:
            verifier.verify(picture(), picture((1, 2, 3)))
    lost(caught.value)
    assert clock.slept == [1.0, 1.0, 0.25]
    assert "call_timeout_s" in str(caught.value)


@attrs.frozen(kw_only=True)
class GivesUp(Later):
    """Does not catch what a poll is refused with, or gives up by itself."""

    def steps(self, call):
        accepted = yield HttpRequest(url=f"{self.address}/jobs", body=b"-", expects={202})
        yield Wait(1)
        reply = yield self.poll(f"{self.address}{accepted.headers['Location']}")
        if reply.json()["state"] == "running":
            raise fm.OutcomeUnknown("It is still running.")
        return self.parse(call, reply)


@pytest.mark.parametrize("refusal", [BUSY, DOWN, reply(502, None), reply(408, {})])
def test_a_refused_poll_that_nobody_catches(refusal):
    """The job is lost to sight, and what was charged before stays charged."""
    lost(read(ACCEPTED, refusal, backend=GivesUp(api_key=KEY)))


def test_a_job_that_nobody_has_accepted_cannot_be_asked_for():
    """Its answer is lost, and the id with it."""
    with RawServer([[read_request, close]]) as server, pytest.raises(fm.OutcomeUnknown) as caught:
        Later(api_key=KEY, base_url=server.url).match(call())
    assert (caught.value.billing.charged, caught.value.reconcilable) == (fm.Charged.UNKNOWN, False)
    told = read(DOWN)
    assert (type(told), told.reconcilable) == (fm.OutcomeUnknown, False)


@pytest.mark.parametrize("odd", [7, None, ["job"], {"job": 7}, ""])
def test_an_id_that_is_no_text_is_none(odd):
    told = read(reply(202, {"job": odd}, Location="/jobs/7"), DONE)
    assert (told.score.value, told.ids.vendor) == (93.5, None)


def test_an_author_who_gives_up():
    """The words are the author's, bill and id the core's."""
    told = read(ACCEPTED, RUNNING, backend=GivesUp(api_key=KEY))
    assert (told.billing.charged, told.billing.charges) == (fm.Charged.YES, 1)
    assert (told.ids.vendor, "still running" in str(told)) == ("job-7", True)


@pytest.mark.parametrize(
    ("status", "error"), [(401, fm.AuthenticationFailed), (400, fm.RequestRejected)]
)
def test_a_poll_that_is_refused_for_good(status, error):
    """The class says what to mend; the bill of the job stays."""
    told = read(ACCEPTED, reply(status, {}))
    assert type(told) is error
    assert (told.billing.charged, told.billing.charges) == (fm.Charged.YES, 1)
    assert (told.ids.vendor, told.retryable) == ("job-7", False)


def test_a_free_answer_that_is_not_expected_is_no_second_charge():
    """A vendor that leads to its result by 303 may answer 200 one day."""

    class Led(Later):
        def poll(self, url):
            return attrs.evolve(super().poll(url), expects={202, 303})

    told = read(ACCEPTED, DONE, backend=Led(api_key=KEY))
    assert type(told) is fm.UnexpectedResponse
    assert (told.billing.charged, told.billing.charges) == (fm.Charged.YES, 1)


def test_a_poll_whose_answer_is_lost():
    """It costs nothing, and is asked again."""
    with RawServer(
        [
            [
                read_request,
                send(answer(202, b'{"job": "job-7"}', "Connection: close", "Location: /x")),
            ],
            [read_request, close],
            [read_request, send(answer(200, DONE.body, "Connection: close")), close],
        ]
    ) as server:
        verifier, _ = polling(server)
        with verifier:
            result = verifier.verify(picture(), picture((1, 2, 3)))
    assert (result.is_match, result.billing.charges) == (True, 1)


@attrs.frozen(kw_only=True)
class WaitsFirst(Later):
    """Waits before it asks, and asks for money after a wait."""

    def steps(self, call):
        yield Wait(3)
        return self.parse(call, (yield HttpRequest(url=f"{self.address}/ask", body=b"-")))


def test_nothing_was_accepted_before_anything_was_sent():
    with served() as server:
        backend = WaitsFirst(api_key=KEY, base_url=server.url)
        verifier = fm.FaceVerifier(backend, clock=ManualClock())
        with verifier, pytest.raises(fm.VendorUnavailable) as caught:
            verifier.verify(picture(), picture((1, 2, 3)), deadline_s=2)
        assert server.requests == []
    assert (caught.value.billing.charged, caught.value.retryable) == (fm.Charged.NO, False)


def test_what_is_charged_after_a_wait_may_be_lost():
    """Nobody accepted it, and nobody knows its bill."""
    told = read(DOWN, backend=WaitsFirst(api_key=KEY))
    assert type(told) is fm.OutcomeUnknown
    assert (told.billing.charged, told.ids.vendor) == (fm.Charged.UNKNOWN, None)


@attrs.frozen(kw_only=True)
class Regrets(Later):
    """Raises an error of its own once its job is accepted."""

    def steps(self, call):
        yield HttpRequest(url=f"{self.address}/jobs", body=b"-", expects={202})
        raise fm.VendorUnavailable("Not today.", billing=fm.Billing(fm.Charged.NO, "they say"))


def test_what_was_accepted_is_charged_whatever_the_author_says():
    told = read(ACCEPTED, backend=Regrets(api_key=KEY))
    assert (told.billing.charged, told.billing.charges) == (fm.Charged.YES, 1)
    assert (told.ids.vendor, told.retryable) == ("job-7", False)


def test_what_costs_money_is_not_gone_on_from():
    """A refused request with a price might be paid twice."""
    with pytest.raises(fm.ConfigurationError):
        HttpRequest(url="https://api.later.example/", on_refusal="raise")


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_wait_is_a_time(seconds):
    with pytest.raises(ValueError, match="seconds"):
        Wait(seconds)


@attrs.frozen(kw_only=True)
class FreeFirst(Later):
    """Asks for an upload that is free, and then for what costs."""

    def steps(self, call):
        yield HttpRequest(url=f"{self.address}/upload", body=b"-", charges=0)
        return self.parse(call, (yield HttpRequest(url=f"{self.address}/ask", body=b"-")))


@pytest.mark.parametrize(
    ("replies", "error", "charged", "retryable"),
    [
        ([DOWN], fm.VendorUnavailable, fm.Charged.NO, True),
        ([reply(400, None)], fm.VendorUnavailable, fm.Charged.NO, False),
        ([BUSY], fm.RateLimited, fm.Charged.NO, True),
        ([reply(200, {}), DOWN], fm.OutcomeUnknown, fm.Charged.UNKNOWN, False),
    ],
)
def test_a_free_request_leaves_no_bill_open(replies, error, charged, retryable):
    told = read(*replies, backend=FreeFirst(api_key=KEY))
    assert type(told) is error
    assert (told.billing.charged, told.retryable) == (charged, retryable)


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:5/x",
        "https://localhost/x",
        "https://b。later.example/x",
        "https://api.later.example:99999/x",
        "https://evil.example/jobs/7",
        "http://api.later.example/jobs/7",
        "https://api.later.example.evil.example/",
    ],
)
def test_an_answer_leads_nowhere_else(where):
    """Neither the key nor a face is sent to a host that an answer names."""
    told = read(reply(202, {"job": "job-7"}, Location=where), DONE)
    assert type(told) is fm.UnexpectedResponse
    assert (told.billing.charges, told.ids.vendor) == (1, "job-7")


@attrs.frozen(kw_only=True)
class Unsendable(Later):
    """Puts what it was answered where HTTP takes no such thing."""

    def steps(self, call):
        accepted = yield HttpRequest(url=f"{self.address}/jobs", body=b"-", expects={202})
        headers = {"X-Job": accepted.json()["name"]}
        yield HttpRequest(url=f"{self.address}/poll", headers=headers, body=b"-", charges=0)


@pytest.mark.parametrize("name", ["a\r\nX-Key: b", "\u20ac", 7, None])
def test_a_request_that_cannot_be_sent_loses_no_job(name):
    """It is a fault of the plug-in's, and the job is paid for and known."""
    with served(reply(202, {"job": "job-7", "name": name})) as server:
        verifier = fm.FaceVerifier(Unsendable(api_key=KEY, base_url=server.url))
        with verifier, pytest.raises(fm.UnexpectedResponse) as caught:
            verifier.verify(picture(), picture((1, 2, 3)))
    assert (caught.value.billing.charges, caught.value.ids.vendor) == (1, "job-7")
    assert caught.value.call.vendor_id == "job-7"


def test_a_first_request_to_a_foreign_host_is_not_sent():
    @attrs.frozen(kw_only=True)
    class Stray(Later):
        def steps(self, call):
            yield HttpRequest(url="https://evil.example/jobs", body=call.probe.data)

    with pytest.raises(fm.ConfigurationError, match=r"evil\.example"):
        Stray(api_key=KEY).match(call())


def test_a_lost_job_is_found_by_its_id():
    """By the error, also when it was written down as JSON meanwhile."""
    with served(ACCEPTED, RUNNING) as server:
        verifier, _ = polling(server)
        with verifier, pytest.raises(fm.DeadlineExceeded) as caught:
            verifier.verify(picture(), picture((1, 2, 3)), deadline_s=0.5)
    record = fm.CallRecord.from_dict(json.loads(json.dumps(caught.value.call.to_dict())))
    with served(RUNNING, DONE) as server, polling(server)[0] as verifier:
        assert verifier.reconcile(caught.value).outcome is fm.Reconciled.NOT_YET
        found = verifier.reconcile(record)
    assert (found.outcome, found.result.score.value) == (fm.Reconciled.FOUND, 93.5)
    assert found.result.ids.call == record.id


def test_a_record_without_an_id_of_the_vendor():
    """One of an event, say: nobody can ask, and nobody is asked."""
    with served(ACCEPTED, RUNNING) as server:
        verifier, _ = polling(server)
        with verifier, pytest.raises(fm.DeadlineExceeded) as caught:
            verifier.verify(picture(), picture((1, 2, 3)), deadline_s=0.5)
        record = attrs.evolve(caught.value.call, vendor_id=None)
    with served() as server, polling(server)[0] as verifier:
        assert verifier.reconcile(record).outcome is fm.Reconciled.CANNOT_KNOW


@pytest.mark.parametrize(
    ("status", "error"), [(500, fm.VendorUnavailable), (401, fm.AuthenticationFailed)]
)
def test_looking_costs_nothing(status, error):
    with served(reply(status, {"message": KEY})) as server:
        backend = Later(api_key=KEY, base_url=server.url)
        with pytest.raises(error) as caught:
            backend.fetch(backend.poll(f"{backend.address}/jobs/7"))
    assert caught.value.billing.charged is fm.Charged.NO
    assert KEY not in str(caught.value)


def test_looking_may_get_no_answer():
    with RawServer([[read_request, close]]) as server:
        backend = Later(api_key=KEY, base_url=server.url)
        with pytest.raises(fm.VendorUnavailable) as caught:
            backend.fetch(backend.poll(f"{backend.address}/jobs/7"))
    assert caught.value.billing.charged is fm.Charged.NO


def test_a_caller_who_goes_while_it_waits_pays_what_was_charged():
    """The wait ends at once, and the job is not asked about."""
    events, sent = [], threading.Event()

    def hear(event):
        events.append(event.kind)
        if event.kind is fm.EventKind.SENT:
            sent.set()

    async def go(server):
        backend = Later(api_key=KEY, base_url=server.url, poll_s=30.0)
        verifier = fm.FaceVerifier(backend, on_event=hear)
        async with AsyncFaceVerifier(verifier) as asking, anyio.create_task_group() as group:
            group.start_soon(asking.verify, picture(), picture((1, 2, 3)))
            await anyio.to_thread.run_sync(sent.wait)
            group.cancel_scope.cancel()

    with served(ACCEPTED) as server:
        anyio.run(go, server)
    assert events[-1] is fm.EventKind.CHARGED
    assert len(server.requests) == 1


def test_a_program_that_is_stopped_while_it_waits_tells_the_job():
    """The event has what the exception cannot carry: bill, id, and what `reconcile` needs."""
    events = []

    class Stopping(ManualClock):
        def sleep(self, seconds):
            raise KeyboardInterrupt

    with served(ACCEPTED) as server:
        backend = Later(api_key=KEY, base_url=server.url)
        verifier = fm.FaceVerifier(backend, clock=Stopping(), on_event=events.append)
        with verifier, pytest.raises(KeyboardInterrupt):
            verifier.verify(picture(), picture((1, 2, 3)), caller_ref="visitor 7")
    last = events[-1]
    assert (last.kind, last.call.vendor_id, last.call.caller_ref) == (
        fm.EventKind.CHARGED,
        "job-7",
        None,
    )


def test_a_try_has_no_job_of_the_one_before():
    """The first one was refused after its upload; the program is stopped in the second."""
    events = []

    def hear(event):
        events.append(event)
        if [one.kind for one in events].count(fm.EventKind.SENT) == 2:
            events.clear()
            raise KeyboardInterrupt

    with served(reply(200, {"job": "upload-1"}), BUSY) as server:
        backend = FreeFirst(api_key=KEY, base_url=server.url)
        verifier = fm.FaceVerifier(backend, retry=fm.Retry(), clock=ManualClock(), on_event=hear)
        with verifier, pytest.raises(KeyboardInterrupt):
            verifier.verify(picture(), picture((1, 2, 3)))
    assert (events[-1].kind, events[-1].call.vendor_id) == (fm.EventKind.UNKNOWN, None)


def test_a_fault_of_the_plug_ins_own_is_told_to_who_listens():
    """With its text, which the error does not have: it may hold a key."""
    heard = []
    plugin_faults.append(heard.append)
    try:
        told = read(ACCEPTED, reply(200, {"state": "done"}))
    finally:
        plugin_faults.remove(heard.append)
    assert type(told) is fm.UnexpectedResponse
    assert [type(fault) for fault in heard] == [KeyError]
    assert told.billing.charges == 1
