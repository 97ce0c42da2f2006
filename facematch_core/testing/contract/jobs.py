"""A vendor that answers later: how often it is asked, and what an odd answer to a poll becomes."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend import Call
from facematch_core.deadline import Deadline
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.refusals import retry_after_s
from facematch_core.testing import bodies
from facematch_core.testing.bench import INCONCLUSIVE, PASS, REVIEW, Bench
from facematch_core.testing.bodies import GONE, Place, places, show_place, write_with
from facematch_core.testing.simulator import GOOD, Situation

#: What the vendor asks for by ``Retry-After``, in seconds: while a job goes on, and too early.
GOES_ON_S, TOO_EARLY_S = 4, 6

RESULTS = (fm.MatchResult, fm.LivenessResult)

#: Statuses of a poll that another poll does not help against, or not for long.
REFUSED = (400, 401, 403, 404, 410, 422, 500, 502, 503)


@attrs.define
class Job:
    backend: HttpBackend
    operation: fm.Operation
    call: Call
    replies: list[HttpReply] = attrs.field(factory=list)
    pauses_s: list[float] = attrs.field(factory=list)  # before each request
    first: int = 0  # index of the first poll
    last: int = 0  # index of the poll that says that the job is over
    polls: int = 0

    @property
    def running(self) -> HttpReply:
        return self.replies[self.first]

    @property
    def done(self) -> HttpReply:
        return self.replies[self.last]

    def read(self, *polls: HttpReply) -> Any:
        """What the call gives if its polls are answered so; None if it goes on."""
        replies = *self.replies[: self.first], *polls, *self.replies[self.last + 1 :]
        with contextlib.suppress(ValueError):  # it asks for more than these
            return self.backend.read_reply(self.call, *replies)

    def goes_on(self, reply: HttpReply) -> bool:
        """Whether the job is asked for again after this poll: then the next one is its end."""
        is_over = isinstance(self.read(reply), RESULTS)
        return not is_over and isinstance(self.read(reply, self.done), RESULTS)

    def judge(self, how: str, reply: HttpReply, *allowed: object) -> None:
        """Assert that the call ends soon if polls are answered so, and in no verdict."""
        where = f"{self.operation}, a poll answered {how}"
        verdict = getattr(self.read(reply), "decision", None)
        assert verdict in (None, *allowed), f"{where}: that is read as the end, {verdict}"
        answers = [reply] * 4  # so many polls may meet it before the call ends
        ends = verdict or isinstance(self.read(*answers, self.done), fm.VendorError)
        assert ends, f"{where}: the job is asked for again after {len(answers)} such answers"


def play_job(
    bench: Bench,
    operation: fm.Operation,
    change: Callable[[int, HttpReply], HttpReply] | None = None,
    how: str = "",
) -> Job | None:
    """A call whose job goes on at two polls, answered as `change` says; None without polls."""
    never = Situation.NEVER_DONE
    if never not in bench.simulator.situations or not isinstance(bench.backend, HttpBackend):
        return None
    # Time for the waits of a good call and those that the vendor asks for.
    bench.ask(operation, GOOD[operation])
    deadline = Deadline.after(60 + 8 * max(bench.waits, default=0), bench.clock)
    job = Job(bench.backend, operation, bench.call(operation, never, deadline=deadline))
    slept, begin, contents = bench.clock.slept, len(bench.clock.slept), list[Any]()

    def answer(request: HttpRequest, reply: HttpReply) -> HttpReply:
        job.pauses_s.append(round(sum(slept[begin:]) - sum(job.pauses_s), 6))
        # What is made before the job, a file say, is free and may be refused as well.
        is_accepted = any(charges for *_, charges in contents)
        content = request.method, request.url, request.json, request.body, request.charges
        contents.append(content)
        at = contents.index(content)
        is_again = at + 1 < len(contents)
        if is_again or any(job.pauses_s) or (is_accepted and request.on_refusal == "raise"):
            job.first, job.polls = job.first or at, job.polls + 1
            reply = change(job.polls, reply) if change else reply
            if job.polls == 2:
                bench.prepare(GOOD[operation])
        job.replies.append(reply)
        return reply

    bench.prepare(never)
    with bench.overhear(answer):
        outcome = bench.make_call(job.call)
    if not job.polls and not bench.waits:
        return None  # it is answered at once
    assert outcome.result is not None or job.replies[-1].status == 429, (
        f"{operation}: a job that the vendor goes on with at two polls and has finished at the "
        f"third gave {outcome.summary} after {job.polls} polls{how}: does the backend keep what "
        "another poll or call was answered, or the simulator that the job is NEVER_DONE?"
    )
    return job if job.polls else None


def judge_pauses(bench: Bench, operation: fm.Operation) -> None:

    def ask_for_time(poll: int, reply: HttpReply) -> HttpReply:
        if poll > 2:
            return reply
        # In the other form that HTTP has, by the clock of replies; it has whole seconds alone.
        date = format_datetime(clock.now() + timedelta(seconds=GOES_ON_S + 2), usegmt=True)
        headers = {**reply.headers, "Retry-After": date if poll == 1 else f"{TOO_EARLY_S}"}
        refusal: dict[str, Any] = {} if poll == 1 else {"status": 429, "body": b"{}"}
        return attrs.evolve(reply, headers=headers, **refusal)

    # Seconds between two polls at least; where the vendor asks for none, 30 at most.
    goes_on = "that it goes on", 0.1
    asks = f"that it goes on, with a date in {GOES_ON_S} s as `Retry-After`", GOES_ON_S
    refuses = f"429 with `Retry-After: {TOO_EARLY_S}`", TOO_EARLY_S
    dates = ask_for_time, ", with a date in `Retry-After`"
    for changes, answers in (((), (goes_on, goes_on)), (dates, (asks, refuses))):
        if (job := play_job(bench, operation, *changes)) is None:
            return
        clock, longest_s = job.backend.client.clock, max(job.pauses_s)
        began = clock.now() - timedelta(seconds=sum(job.pauses_s))  # what a date is counted from
        asked_s = [retry_after_s(reply, began) or 0.0 for reply in job.replies]
        soon = longest_s <= max(30, *asked_s)
        assert soon, f"{operation}: a job is asked for after {longest_s:g} s, for which nobody asks"
        for pause_s, (how, least_s) in zip(job.pauses_s[job.first + 1 :], answers, strict=False):
            assert pause_s >= least_s, (
                f"{operation}: a job is asked for again {pause_s:g} s after a poll was answered "
                f"{how}: `yield Wait({max(least_s, 1):g})` before it"
            )


def judge_polls(bench: Bench, operation: fm.Operation) -> None:
    job = play_job(bench, operation)
    if job is None:
        return
    job.last = len(job.replies) - 1
    while not isinstance(job.read(job.done), RESULTS):
        job.last -= 1  # what follows the last poll is a report
        if job.last < job.first:
            return
    running, done, secrets = job.running, job.done, [text for _, text in bench.secrets()]
    before = dict(places(running.at()))
    pairs = {
        place: (before.get(place, GONE), value)
        for place, value in places(done.at())
        if not isinstance(value, (dict, list)) and before.get(place, GONE) != value
    }
    states = [place for place, (state, _) in pairs.items() if job.goes_on(_put(done, place, state))]
    words = [place for place, pair in pairs.items() if all(map(is_word, pair))]
    # A number or true may be the state, too, and a word beside it a message.
    is_read = any(type(pairs[place][0]) is type(pairs[place][1]) for place in states)
    for place in words[:1] if running.status == done.status else ():
        where, (state, end) = f"{operation}: `{show_place(place)}`", pairs[place]
        assert is_read, (
            f"{where} goes from {state!r} to {end!r}: the job's end has to follow from it"
        )
    for place in states:
        state, end = pairs[place]
        odd = ("awaiting_someone", f"not {end}", f"{end} pending", 77)
        # What is not there while the job goes on may be missing, or null.
        for value in (*odd, *(() if state in (None, GONE) else (None, GONE))):
            shown = "left out" if value is GONE else repr(value)
            how = f"with `{show_place(place)}` {shown} (at the end of a job it is {end!r})"
            job.judge(how, _put(done, place, value), REVIEW[operation], INCONCLUSIVE[operation])
        for word in job.backend.job_states:
            result = job.read(_put(done, place, word))
            passes = getattr(result, "decision", None) is PASS[operation]
            scored = not passes or result.score is not None or not bench.scale(operation)
            assert scored, f"{operation}: a job that ends as {word!r} passes without a score"
        decides = state is not GONE and not job.goes_on(_put(running, place, end))
        for value in odd if decides else ():
            how = f"with `{show_place(place)}` {value!r} (while a job goes on it is {state!r})"
            job.judge(how, _put(running, place, value))
    for status, form in itertools.product(REFUSED, bodies.forms(secrets)[::8]):
        reply = attrs.evolve(running, status=status, body=form.body)
        job.judge(f"{status} with {form.name}", reply)
    job.judge("with half of its body", attrs.evolve(done, body=done.body[: len(done.body) // 2]))


def is_word(value: object) -> bool:
    """Whether it may be a vendor's word for a state: it is no sentence, time or id."""
    word = r"[^\W\d_]+([ _-][^\W\d_]+){0,2}"
    return isinstance(value, str) and re.fullmatch(word, value) is not None


def _put(reply: HttpReply, place: Place, value: object) -> HttpReply:
    text = None if value is GONE else json.dumps(value)
    return attrs.evolve(reply, body=write_with(reply.at(), place, text))
