"""A vendor that answers later: how often it is asked, and what an odd answer to a poll becomes."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, cast

import attrs

import facematch_core as fm
from facematch_core.backend import Call
from facematch_core.deadline import Deadline
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bodies
from facematch_core.testing.bench import INCONCLUSIVE, PASS, REVIEW, Bench
from facematch_core.testing.bodies import GONE, Place, changed, named, places
from facematch_core.testing.simulator import GOOD, Situation

#: Seconds between two polls at least, where the vendor asks for none.
LEAST_PAUSE_S = 0.1

#: The longest that is waited for a poll, where the vendor asks for nothing.
LONGEST_PAUSE_S = 30

#: What the vendor asks for by ``Retry-After``, in seconds: while a job goes on, and too early.
GOES_ON_S, TOO_EARLY_S = 4, 6


#: The classes of results.
RESULTS = (fm.MatchResult, fm.LivenessResult)

#: Statuses of a poll that another poll does not help against, or not for long.
REFUSED = (400, 401, 403, 404, 410, 422, 500, 502, 503)

#: How many polls more may meet the same odd answer before the call ends.
MORE_POLLS = 3

#: A word of a vendor for a state.
WORD = re.compile(r"[^\W\d_]+([ _-][^\W\d_]+){0,2}")


@attrs.define
class Job:
    """A call whose job was followed, with the replies.

    Attributes:
        pauses_s: Seconds that were waited before each request.
        first: Index of the first poll.
        polls: How many polls there were.
    """

    call: Call
    replies: list[HttpReply] = attrs.field(factory=list)
    pauses_s: list[float] = attrs.field(factory=list)
    first: int = 0
    polls: int = 0


def play_job(
    bench: Bench,
    operation: fm.Operation,
    change: Callable[[int, HttpReply], HttpReply] = lambda _, reply: reply,
    how: str = "",
) -> Job | None:
    """A call whose job goes on at two polls; None where nothing is polled.

    `change` takes the number of a poll and its reply, and gives what is answered; `how` in words.
    """
    if Situation.NEVER_DONE not in bench.simulator.situations:
        return None
    # Time for the waits of a good call and those that the vendor asks for.
    bench.ask(operation, GOOD[operation])
    deadline = Deadline.after(60 + 8 * max(bench.waits, default=0), bench.clock)
    job = Job(bench.call(operation, Situation.NEVER_DONE, deadline=deadline))
    slept, begin, contents = bench.clock.slept, len(bench.clock.slept), list[object]()
    requests = list[HttpRequest]()

    def answer(request: HttpRequest, reply: HttpReply) -> HttpReply:
        job.pauses_s.append(round(sum(slept[begin:]) - sum(job.pauses_s), 6))
        requests.append(request)
        contents.append((request.method, request.url, request.json, request.body))
        at = contents.index(contents[-1])
        is_again = at + 1 < len(contents)
        # What is made before the job, a file say, is free and may be refused as well.
        is_accepted = any(request.charges for request in requests[:-1])
        if is_again or any(job.pauses_s) or (is_accepted and request.on_refusal == "raise"):
            job.first, job.polls = job.first or at, job.polls + 1
            reply = change(job.polls, reply)
            if job.polls == 2:
                bench.prepare(GOOD[operation])
        return reply

    bench.prepare(Situation.NEVER_DONE)
    with bench.overheard(answer) as heard:
        outcome = bench.made(job.call)
    if not job.polls and not bench.waits:
        return None  # it is answered at once
    is_answered = outcome.result is not None or heard[-1][1].status == 429
    assert is_answered, (
        f"{operation}: a job that the vendor goes on with at two polls and has finished at the "
        f"third gave {outcome.told} after {job.polls} polls{how}: does the backend keep what "
        "another poll or call was answered, or the simulator that the job is NEVER_DONE?"
    )
    job.replies = [reply for _, reply in heard]
    return job if job.polls else None


# --- How often it is asked ------------------------------------------------------------------------


def judge_pauses(bench: Bench, operation: fm.Operation) -> None:
    """Assert that a job is not asked for at once again, nor earlier than the vendor wants."""

    def ask_for_time(poll: int, reply: HttpReply) -> HttpReply:
        if poll == 1:
            # In the other form that HTTP has, by the clock of replies; it has whole seconds alone.
            date = format_datetime(clock.now() + timedelta(seconds=GOES_ON_S + 2), usegmt=True)
            return attrs.evolve(reply, headers={**reply.headers, "Retry-After": date})
        if poll > 2:
            return reply
        headers = {**reply.headers, "Retry-After": f"{TOO_EARLY_S}"}
        return attrs.evolve(reply, status=429, body=b"{}", headers=headers)

    job = play_job(bench, operation)
    if job is None:
        return
    clock = cast(HttpBackend, bench.backend).client.clock
    for pause_s in job.pauses_s[job.first + 1 : job.first + 3]:
        paced = pause_s >= LEAST_PAUSE_S
        assert paced, f"{operation}: a job is asked for again after {pause_s:g} s: `yield Wait(1)`"
    asks = any("Retry-After" in reply.headers for reply in job.replies)
    longest_s = max(job.pauses_s)
    soon = asks or longest_s <= LONGEST_PAUSE_S
    assert soon, f"{operation}: a job is asked for after {longest_s:g} s, for which nobody asks"
    job = play_job(bench, operation, ask_for_time, ", with a date in `Retry-After`")
    if job is None:
        return
    goes_on_s, *too_early_s = job.pauses_s[job.first + 1 : job.first + 3]
    heeded = f"{operation}: a poll answered with `Retry-After: "
    heeds = goes_on_s >= GOES_ON_S
    assert heeds, f"{heeded}{{a date in {GOES_ON_S} s}}` is made again after {goes_on_s:g} s"
    for pause_s in too_early_s:
        heeds = pause_s >= TOO_EARLY_S
        assert heeds, f"{heeded}{TOO_EARLY_S}` and 429 is made again after {pause_s:g} s"


# --- What a poll may be answered ------------------------------------------------------------------


@attrs.frozen
class Polls:
    """What a job was answered: until its first poll, while it goes on, at its end, and then."""

    backend: HttpBackend
    operation: fm.Operation
    call: Call
    before: Sequence[HttpReply]
    running: HttpReply
    done: HttpReply
    after: Sequence[HttpReply]

    @classmethod
    def play(cls, bench: Bench, operation: fm.Operation) -> Polls | None:
        """None where nothing is polled, or where that cannot be seen."""
        job = play_job(bench, operation)
        if job is None or not isinstance(bench.backend, HttpBackend):
            return None
        before, polls = job.replies[: job.first], job.replies[job.first :]
        for last in range(len(polls) - 1, -1, -1):
            after = polls[last + 1 :]
            answers = cls(bench.backend, operation, job.call, before, polls[0], polls[last], after)
            if isinstance(answers.read(polls[last], *after), RESULTS):
                return answers
        return None

    def read(self, *replies: HttpReply) -> Any:
        """What the call gives if its polls, and what follows, are answered so; None: it goes on."""
        with contextlib.suppress(ValueError):  # it asks for more than these
            return self.backend.read_reply(self.call, *self.before, *replies)

    def goes_on(self, reply: HttpReply) -> bool:
        """Whether the job is asked for again after this poll: then the next one is its end."""
        is_over = isinstance(self.read(reply, *self.after), RESULTS)
        return not is_over and isinstance(self.read(reply, self.done, *self.after), RESULTS)

    def judge(self, how: str, reply: HttpReply, *allowed: object) -> None:
        """Assert that the call ends soon if polls are answered so, and in no verdict."""
        where = f"{self.operation}, a poll answered {how}"
        verdict = getattr(self.read(reply, *self.after), "decision", None)
        assert verdict in (None, *allowed), f"{where}: that is read as the end, {verdict}"
        answers = [reply] * (1 + MORE_POLLS)
        outcome = verdict or self.read(*answers, self.done, *self.after)
        ends = verdict is not None or isinstance(outcome, fm.VendorError)
        assert ends, f"{where}: the job is asked for again after {len(answers)} such answers"

    def judge_changed(
        self, reply: HttpReply, place: Place, value: object, *allowed: object
    ) -> None:
        """The same with another value at a place."""
        shown = "left out" if value is GONE else repr(value)
        how = f"with `{named(place)}` {shown} (it was {reply.at(*place)!r})"
        self.judge(how, _put(reply, place, value), *allowed)


def _put(reply: HttpReply, place: Place, value: object) -> HttpReply:
    text = None if value is GONE else json.dumps(value)
    return attrs.evolve(reply, body=changed(reply.at(), place, text))


def judge_polls(bench: Bench, operation: fm.Operation) -> None:
    """Assert that a job whose polls are refused, or whose state nobody knows, ends the call."""
    polls = Polls.play(bench, operation)
    if polls is None:
        return
    running, done, secrets = polls.running, polls.done, [text for _, text in bench.secrets()]
    before, ends = dict(places(running.at())), dict(places(done.at()))
    pairs = {
        place: (before.get(place, GONE), value)
        for place, value in ends.items()
        if not isinstance(value, (dict, list)) and before.get(place, GONE) != value
    }
    states = [
        place for place, (state, _) in pairs.items() if polls.goes_on(_put(done, place, state))
    ]
    words = [place for place, pair in pairs.items() if all(map(is_word, pair))]
    # A number or true may be the state, too, and a word beside it a message.
    is_read = any(type(pairs[place][0]) is type(pairs[place][1]) for place in states)
    unread = running.status == done.status and words and not is_read
    assert not unread, (
        f"{operation}: whether a job is over does not follow from `{named(words[0])}`, which goes "
        f"from {pairs[words[0]][0]!r} to {pairs[words[0]][1]!r}"
    )
    unsure = REVIEW[operation], INCONCLUSIVE[operation]
    for place in states:
        state, end = pairs[place]
        odd = ("awaiting_someone", f"not {end}", f"{end} pending", 77)
        # What is not there while the job goes on may be missing, or null.
        for value in (*odd, *(() if state in (None, GONE) else (None, GONE))):
            polls.judge_changed(done, place, value, *unsure)
        for word in polls.backend.job_states:
            verdict = polls.read(_put(done, place, word), *polls.after)
            passes = getattr(verdict, "decision", None) is PASS[operation]
            scored = not passes or verdict.score is not None or not bench.scale(operation)
            assert scored, f"{operation}: a job that ends as {word!r} passes without a score"
        decides = state is not GONE and not polls.goes_on(_put(running, place, end))
        for value in odd if decides else ():
            polls.judge_changed(running, place, value)
    for status, form in itertools.product(REFUSED, bodies.forms(secrets)[::8]):
        reply = attrs.evolve(running, status=status, body=form.body)
        polls.judge(f"{status} with {form.name}", reply)
    polls.judge("with half of its body", attrs.evolve(done, body=done.body[: len(done.body) // 2]))


def is_word(value: object) -> bool:
    """Whether it may be a vendor's word for a state: it is no sentence, time or id."""
    return isinstance(value, str) and WORD.fullmatch(value) is not None
