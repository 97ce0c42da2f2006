"""One run of a story: the customer, the person at the vendor, and the webhooks."""

from __future__ import annotations

import datetime as dt
import enum
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import attrs

from facematch_mock_server.base.json_forms import JsonForm
from facematch_mock_server.server import Served
from facematch_mock_server.vendors.replays import SavedAnswers
from facematch_mock_server.world.faults import Fault, Kind
from facematch_mock_server.world.hosted import SessionRules, hosted_of
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import (
    SIGNATURE_REFUSED,
    SignedPayload,
    WebhookDelivery,
    post,
)

from .application import Answer, ApplicationError, Program, Target, ask, wait_until
from .judge import NEVER_LATE, Belief, Failure, Reading, Truth, Verdict, judge, judge_once, read
from .letters import LetterWriter, is_taken

#: A function of a test that takes a webhook's body and headers, and returns the status.
Receive: TypeAlias = Callable[[bytes, Mapping[str, str]], int]
#: An act of a customer in a run; returns what came of it, None for nothing to tell.
Act: TypeAlias = "Callable[[Run, Customer], str | None]"

#: Seconds for which the first answer is held, until the second click has come.
HELD_S = 1.0
#: Seconds in which an application that works in the background must have reached its state.
SETTLING_S = 3.0
#: Seconds to wait for a receiver's answer, and once it did not answer in time.
RECEIVER_S = 10.0
HANGING_RECEIVER_S = 3.0
#: How often a vendor repeats a webhook that was not taken: the smallest number documented.
_REPEATS = 2
#: Seconds between two events of a customer, as persons need some.
_BETWEEN_EVENTS = dt.timedelta(seconds=1)
_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class Link(enum.Enum):
    """What the application answered to a begin."""

    OPEN = "with the link of an open session"
    UNDECIDED = "while the vendor has not decided"
    DEAD = "with the link of a session that is over"
    NONE = "without a link"


@attrs.frozen(kw_only=True)
class Application:
    """How the application is reached.

    Attributes:
        begin: Starts a verification, with ``{customer}``.
        state: Answers what it believes of ``{customer}``; None for a receiver of webhooks alone,
            which is judged by the statuses that it answers.
        webhook: The URL of its receiver, or a function of a test; None if it has none.
        secret: The secret with which the receiver verifies; None for a new one.
        job: Its own periodic job; None if it has none.
        words: The words of its states that are not usual.
        once: Fields of its state that count what must happen once.
        program: Its process; None if somebody else runs it.
        document_name: The name on the document that customers show; None for none.
    """

    begin: Target
    state: Target | None
    webhook: str | Receive | None
    secret: str | None = attrs.field(default=None, repr=False)
    job: Target | None = None
    words: Mapping[str, Belief] = attrs.field(factory=dict)
    once: Sequence[str] = ()
    program: Program | None = None
    document_name: str | None = None


@attrs.define(kw_only=True)
class Seen:
    """What was seen of an application in all runs.

    Attributes:
        has_state: Whether an answer of its state could be read.
        refusal: The last answer of its state that could not.
        has_approved: Whether it ever said approved.
        fields: The fields of its state's JSON.
        has_taken: Whether it ever took a webhook, or would in another form of JSON; None before
            the first.
        receiver_s: Seconds to wait for an answer of its receiver.
    """

    has_state: bool = False
    refusal: Answer = Answer()  # noqa: RUF009 - it is frozen
    has_approved: bool = False
    fields: set[str] = attrs.field(factory=set)
    has_taken: bool | None = None
    receiver_s: float = attrs.field(factory=lambda: RECEIVER_S)


@attrs.define(kw_only=True, eq=False)
class Customer:
    """A customer in one run.

    Attributes:
        shown: The name in the story.
        name: The name for which ``{customer}`` stands, new in each run.
        sessions: The ids of the vendor's sessions, oldest first.
        tabs: The ids of the sessions whose link the customer has got.
        waiting, refused: The webhooks that have not arrived, and those that were not taken.
        wishes: How often the customer wished to be verified.
        may_be_declined: Whether a right application may decline, because something went wrong.
        has_impostor: Whether somebody else showed the face or the document.
        had_yes: Whether the vendor ever said yes.
        refused_with: Why nobody can begin, if the application has refused the last begin.
        told: The sessions and statuses whose webhooks the application has taken.
        answers_to_yes: The application's answers to webhooks that say yes.
        judged_at: When the state was last judged, by the monotonic clock.
        last_event_at: The time of the customer's newest event at the vendor.
    """

    shown: str
    name: str
    sessions: list[str] = attrs.field(factory=list)
    tabs: list[str] = attrs.field(factory=list)
    waiting: list[WebhookDelivery] = attrs.field(factory=list)
    refused: list[WebhookDelivery] = attrs.field(factory=list)
    wishes: int = 0
    may_be_declined: bool = False
    has_impostor: bool = False
    had_yes: bool = False
    refused_with: str | None = None
    told: set[tuple[str, str]] = attrs.field(factory=set)
    answers_to_yes: list[int | None] = attrs.field(factory=list)
    judged_at: float = 0.0
    last_event_at: dt.datetime = _LONG_AGO


class Run:
    """One run of steps, with customers whom the application has never seen.

    Attributes:
        failures: What is wrong, by verdict and customer.
        late: The customers whose state was right only later, with the seconds that it took.
        output: The last lines that the application wrote, before it was waited for.
    """

    def __init__(
        self,
        mock: Served,
        application: Application,
        letters: LetterWriter | None,
        seen: Seen,
        tell: Callable[[str], object] | None,
    ) -> None:
        """Begin a story.

        Customers get names of their own, and what happened before does not count.
        """
        self._control = mock.control
        self._persons = mock.control.sessions
        self._facts = mock.control.world.vendor.drilled
        self._application = application
        self._letters = letters
        self._seen = seen
        self._tell = tell
        self._prefix = f"drill-{secrets.token_hex(4)}-"
        self._customers: dict[str, Customer] = {}
        self._owners: dict[str, Customer] = {}
        self._began_at = time.monotonic()
        self._last_session = _last_number(self._persons.all(limit=1))
        self._last_delivery = 0
        self._advanced_s = 0.0
        if letters is not None:
            self._last_delivery = _last_number(self._control.webhooks.deliveries(limit=1))
        self._charges_before = len(self._control.charges())
        self._job_answer: Answer | None = None
        self._is_hanging = False
        program = application.program
        self._output_before = 0 if program is None else program.output_size()
        self.failures: dict[tuple[Verdict, str], Failure] = {}
        self.late: dict[str, float] = {}
        self.output: Sequence[str] = ()

    # The run

    def take(self, shown: str, sentence: str, act: Act) -> None:
        """Let a customer act, and look what the application believes after it."""
        customer = self._customers.get(shown)
        if customer is None:
            customer = Customer(shown=shown, name=f"{self._prefix}{shown}")
            self._customers[shown] = customer
        outcome = act(self, customer)
        self._collect(customer)
        limit_s = self._facts.max_age_s
        sentence = sentence.format(c=shown, age=(limit_s or 0) + 60, limit=limit_s)
        self._say(f"{sentence}: {outcome}" if outcome else sentence)
        self._note_crash(customer)
        customer.had_yes |= self._truth(customer).is_yes(self._facts)
        reading = self._read(customer)
        is_wrong = reading.belief is Belief.APPROVED and not customer.had_yes
        is_forgery = (Verdict.FORGERY, shown) in self.failures
        if is_wrong and not is_forgery:
            statuses = ", ".join(self._truth(customer).statuses) or "nothing"
            detail = f"the application says approved ({reading.shown}); the vendor says {statuses}"
            self._fail(Verdict.FALSE_YES, customer, detail)

    def finish(self, patience_s: float = 0.0) -> None:
        """Deliver what still waits, as often as a vendor does, and judge each customer.

        A customer who could not begin asks once more, now that the application knows what the
        vendor knows. Customers whose state is still wrong are judged again for `patience_s`.
        Raises ApplicationError if the answers of the state show nothing.
        """
        self._deliver_rest()
        for customer in self._customers.values():
            if customer.refused_with is not None:
                self._say(
                    f"(then) {customer.shown} asks to be verified again: {self.begin(customer)}"
                )
        self._deliver_rest()
        program = self._application.program
        if program is not None:
            # The reads of the next seconds would hide what it wrote in the story.
            self.output = self.output or program.last_lines(since=self._output_before)
        self._judge_all(patience_s)
        for customer in self._customers.values():
            self._judge_answers(customer)
            self._note_crash(customer)
        self._check_state()
        self._control.account.clock.rewind(self._advanced_s)

    def _deliver_rest(self) -> None:
        """Deliver what waits, and what was refused for now again, and run the job after each round.

        A webhook that is refused in every round is given up, as a vendor does. To a receiver that
        hangs, none comes again.
        """
        for _ in range(1 + _REPEATS):
            if self._is_hanging:
                break
            for customer in self._customers.values():
                if customer.waiting:
                    self._say(f"(then) webhooks arrive: {self.deliver(customer)}")
                self._collect(customer)
                customer.waiting += customer.refused
                customer.refused = []
            self.run_job()
            if not any(customer.waiting for customer in self._customers.values()):
                break

    def _judge_all(self, patience_s: float) -> None:
        """Judge what the application believes of each customer, and keep each failure.

        What becomes right within `patience_s` after the usual time is late and no failure, but for
        the verdicts that no later state makes good.
        """
        began_at = time.monotonic()
        wrong = self._judge_until(began_at + SETTLING_S, self._customers.values())
        waiting = []
        for customer, failures in wrong.items():
            if patience_s and not NEVER_LATE & {failure.verdict for failure in failures}:
                waiting.append(customer)
        if waiting:
            still_wrong = self._judge_until(began_at + SETTLING_S + patience_s, waiting)
            for customer in waiting:
                if customer not in still_wrong:
                    self.late[customer.shown] = customer.judged_at - began_at
                    del wrong[customer]
        for customer, failures in wrong.items():
            for failure in failures:
                self._fail(failure.verdict, customer, failure.detail)

    def _judge_until(
        self, gives_up_at: float, customers: Collection[Customer]
    ) -> dict[Customer, list[Failure]]:
        """Judge customers, and run the job, until all are right or it is time to give up.

        Return the failures of those who are still wrong.
        """
        is_last = False
        while True:
            wrong = {}
            for customer in customers:
                failures = self._judge(customer)
                customer.judged_at = time.monotonic()
                if failures:
                    wrong[customer] = failures
            if not wrong or is_last:
                return wrong
            customers = list(wrong)
            time.sleep(0.1)
            # A session may be due only now, so the job runs again, at last after the time is over.
            is_last = time.monotonic() > gives_up_at
            self.run_job()

    def _judge(self, customer: Customer) -> list[Failure]:
        """Return what is wrong with a customer now."""
        truth = self._truth(customer)
        failures = []
        if self._application.state is not None:
            reading = self._read(customer)
            once = self._application.once
            failures += judge(customer.shown, reading, truth, self._facts, had_yes=customer.had_yes)
            failures += judge_once(customer.shown, reading, once, had_yes=customer.had_yes)
        if customer.refused_with is not None and not truth.is_yes(self._facts):
            detail = customer.refused_with
            failures.append(Failure(verdict=Verdict.STUCK, customer=customer.shown, detail=detail))
        return failures

    def _judge_answers(self, customer: Customer) -> None:
        """Judge a job that fails, and a receiver to which the vendor never gets its yes through.

        A receiver alone must take each genuine webhook.
        """
        answers = customer.answers_to_yes
        taken = [is_taken(each) for each in answers]
        is_alone = self._application.state is None
        if answers and not (all(taken) if is_alone else any(taken)):
            refusal = next(each for each in reversed(answers) if not is_taken(each))
            detail = f"it answers {_shown(refusal)} to genuine webhooks that say yes"
            if refusal in SIGNATURE_REFUSED:
                detail += "; if it verifies with a secret of its own, give it to the drill, too"
            self._fail(Verdict.REFUSES_WEBHOOKS, customer, detail)
        if self._job_answer is not None and not self._job_answer.is_accepted:
            detail = f"--job answers {self._job_answer}"
            self._fail(Verdict.JOB_FAILS, customer, detail)

    def _note_crash(self, customer: Customer) -> None:
        """Note that the application has ended by itself, and start it again."""
        program = self._application.program
        if program is None:
            return
        exit_code = program.exit_code()
        if exit_code is not None:
            self.output = program.last_lines(since=self._output_before)
            self._fail(Verdict.CRASHES, customer, f"it ended by itself with exit code {exit_code}")
            program.restart()

    def _check_state(self) -> None:
        """Raise ApplicationError if the answers of the state cannot show what is asked for."""
        seen = self._seen
        if self._application.state is None:
            if seen.has_taken is False:
                raise ApplicationError(
                    "The receiver took no webhook, so nothing is shown: check its URL and the "
                    "secret, and that it verifies the bytes received."
                )
            return
        if not seen.has_state and self._owners:
            raise ApplicationError(
                f"No answer of --state could be read: it answers {seen.refusal} for a customer who "
                "has begun."
            )
        for field in self._application.once:
            if seen.has_approved and field not in seen.fields:
                names = ", ".join(sorted(seen.fields)) or "no JSON"
                raise ApplicationError(
                    f"--once {field}: the state has no such field; it has {names}."
                )

    def _fail(self, verdict: Verdict, customer: Customer, detail: str) -> None:
        """Keep a failure; of several of one verdict and customer, the first."""
        failure = Failure(verdict=verdict, customer=customer.shown, detail=detail)
        self.failures.setdefault((verdict, customer.shown), failure)

    def _say(self, line: str) -> None:
        if self._tell is not None:
            self._tell(f"{time.monotonic() - self._began_at:6.1f} s  {line}")

    def _read(self, customer: Customer) -> Reading:
        """Return what the application says of a customer; of a receiver alone, that it waits."""
        if self._application.state is None:
            return Reading(belief=Belief.OPEN, shown="")
        answer = ask(self._application.state, customer.name)
        seen = self._seen
        if answer.is_accepted:
            seen.has_state = True
        else:
            seen.refusal = answer
        reading = read(answer, self._application.words)
        seen.fields.update(reading.fields)
        seen.has_approved |= reading.belief is Belief.APPROVED
        return reading

    def _truth(self, customer: Customer) -> Truth:
        """Return what the vendor knows of a customer, from the mock's records.

        Charges are those of this story.
        """
        sessions = self._sessions(customer)
        passed = {each.id for each in sessions if each.status in self._facts.approved}
        charges = self._control.charges()[self._charges_before :]
        newest = sessions[-1] if sessions else None
        is_told = newest is not None and (newest.id, newest.status) in customer.told
        return Truth(
            statuses=[self._shown_status(customer, each) for each in sessions],
            paid_passes=len(passed & {charge.request_id for charge in charges}),
            wishes=customer.wishes,
            may_be_declined=customer.may_be_declined,
            is_no_told=is_told,
        )

    def _shown_status(self, customer: Customer, session: Session) -> str:
        # A session of liveness alone succeeds for an attacker, too.
        if self._letters is None and customer.has_impostor:
            return f"{session.status}, not by {customer.shown}"
        return session.status

    def _sessions(self, customer: Customer) -> list[Session]:
        return [each for each in self._persons.all() if each.id in customer.sessions]

    def _collect(self, customer: Customer) -> None:
        """Give new sessions to the customer, and queue the webhooks."""
        for session in self._persons.all(since=self._last_session):
            self._last_session = session.number
            self._owners[session.id] = customer
            customer.sessions.append(session.id)
            before = session.created_at - _BETWEEN_EVENTS
            customer.last_event_at = max(customer.last_event_at, before)
        if self._letters is None:
            return
        new: dict[Customer, list[WebhookDelivery]] = {}
        for delivery in self._control.webhooks.deliveries(since=self._last_delivery):
            self._last_delivery = delivery.number
            owner = self._owners.get(delivery.session_id)
            # The application may have added a webhook by the vendor's API, too.
            is_own = delivery.destination == self._letters.destination.uuid
            if owner is not None and is_own:
                new.setdefault(owner, []).append(delivery)
        for owner, deliveries in new.items():
            # The last one happens now, unless the customer's former event leaves too little time.
            first_at = deliveries[-1].created_at - _BETWEEN_EVENTS * (len(deliveries) - 1)
            happened_at = max(first_at, owner.last_event_at + _BETWEEN_EVENTS)
            for delivery in deliveries:
                owner.waiting.append(self._change(delivery, created_at=happened_at))
                owner.last_event_at = happened_at
                happened_at += _BETWEEN_EVENTS
        # No event is later than the vendor's clock.
        ahead_s = (customer.last_event_at - self._control.now()).total_seconds()
        if ahead_s > 0:
            self._control.advance(ahead_s)
            self._advanced_s += ahead_s

    def _change(self, delivery: WebhookDelivery, **changes: object) -> WebhookDelivery:
        deliveries = self._control.world.outbox.deliveries
        changed = deliveries.change(delivery.id, lambda each: attrs.evolve(each, **changes))
        return changed or delivery

    # The customer

    def begin(
        self,
        customer: Customer,
        *,
        clicks: int = 1,
        fault: Fault | None = None,
        is_early: bool = False,
    ) -> str:
        """Let a customer begin; return what the application answers.

        The customer wishes a new session unless one is open. Several clicks are sent at the same
        time. `fault` is the vendor's; with `is_early`, webhooks arrive before its answer.
        """
        open_ids = {session.id for session in self._persons.open()}
        if not open_ids.intersection(customer.sessions):
            customer.wishes += 1
        if fault is not None:
            self._control.add_fault(fault)
        started_before = len(customer.sessions)
        with ThreadPoolExecutor(clicks) as pool:
            answering = [
                pool.submit(ask, self._application.begin, customer.name) for _ in range(clicks)
            ]
            if is_early:
                self._deliver_before_answer(customer)
            answers = [each.result() for each in answering]
        self._control.clear_faults()
        self._collect(customer)
        link = self._find_link(customer, answers)
        # A delayed answer is no reason to refuse.
        is_vendor_down = fault is not None and fault.kind is not Kind.DELAY
        customer.refused_with = None
        if link in (Link.DEAD, Link.NONE) and not is_vendor_down:
            self._note_refusal(customer, link, answers)
        told = ", ".join(str(answer) for answer in answers)
        started = len(customer.sessions) - started_before
        count = f", {started} sessions started" if started > 1 else ""
        return f"the application answers {told}{count}"

    def _deliver_before_answer(self, customer: Customer) -> None:
        """Deliver the webhook about a new session while the vendor's answer is held."""

        def has_collected_one() -> bool:
            self._collect(customer)
            return bool(customer.waiting)

        if wait_until(has_collected_one, HELD_S):
            self.deliver(customer)

    def _find_link(self, customer: Customer, answers: Sequence[Answer]) -> Link:
        """Note the sessions whose links the customer has got; return what these are good for.

        If an accepted answer names no session, the link may come in another way, such as by mail or
        in a component's page.
        """
        accepted = [answer for answer in answers if answer.is_accepted]
        text = "\n".join(answer.text for answer in accepted)
        open_ids = [session.id for session in self._persons.open()]
        handed = []
        for session in self._sessions(customer):
            if session.id in text or hosted_of(session).token in text:
                handed.append(session)
        handed_ids = [session.id for session in handed]
        if not handed and accepted:
            handed_ids = [each for each in customer.sessions if each in open_ids][-1:]
        customer.tabs += [each for each in handed_ids if each not in customer.tabs]
        # Who is refused has lost the former tab, or would not ask again.
        if accepted and set(open_ids).intersection(customer.tabs):
            return Link.OPEN
        rules: SessionRules = self._control.world.behaviour.session_rules
        # A link alone that has expired is none of a session that is over: by the application's own
        # clock, it is still good.
        over = set(rules.status_after.values()) - rules.open_statuses
        undecided = [each for each in self._sessions(customer) if each.status not in over]
        refusable = self._facts.declined | rules.open_statuses
        if any(each in handed or each.status not in refusable for each in undecided):
            return Link.UNDECIDED
        return Link.DEAD if handed else Link.NONE

    def _note_refusal(self, customer: Customer, link: Link, answers: Sequence[Answer]) -> None:
        """Note that the application gives an undecided customer no way on; a limit (429) may."""
        statuses = self._truth(customer).statuses
        has_yes = any(status in self._facts.approved for status in statuses)
        if has_yes or (statuses[-1:] and statuses[-1] in self._facts.declined):
            return
        if any(answer.status == 429 for answer in answers):
            return
        customer.tabs.clear()
        customer.refused_with = (
            f"the application answers {answers[-1]}, {link.value}; the vendor says "
            f"{', '.join(statuses) or 'nothing'}"
        )

    def _act(
        self,
        customer: Customer,
        do: Callable[[str], Session],
        tabs: slice = slice(-1, None),
    ) -> str:
        """Act as the person in some of the customer's open tabs, by default in the newest.

        Return the statuses that the vendor has then.
        """
        can_act = {session.id for session in self._persons.open()}
        open_tabs = [each for each in customer.tabs if each in can_act]
        statuses = [do(each).status for each in open_tabs[tabs]]
        return f"the vendor says {', '.join(statuses)}" if statuses else "no session is open"

    def show(
        self, customer: Customer, *, face: str, document: str, tabs: slice = slice(-1, None)
    ) -> str:
        """Show the cards of a face and of a document in some of the customer's open tabs."""
        is_impostor = face != "p1" or document != "p1"
        customer.has_impostor |= is_impostor
        customer.may_be_declined |= is_impostor

        def finish(session_id: str) -> Any:
            (session,) = [each for each in self._sessions(customer) if each.id == session_id]
            if hosted_of(session).kind == "kyc":
                return self._persons.finish(session_id, card=face, document=document)
            # It has a reference in place of a document, so only the face can be another.
            return self._persons.finish(session_id, card=face if document == "p1" else "p2")

        return self._act(customer, finish, tabs)

    def give_up(self, customer: Customer, *, how: str) -> str:
        """Act as a person who does not pass, by a method of the mock's sessions.

        A session expires hours or days later: the answers saved for a repeated key are gone.
        """
        customer.may_be_declined = True
        records = self._control.world.records
        if how == "expire" and isinstance(records, SavedAnswers):
            records.forget()
        return self._act(customer, getattr(self._persons, how))

    def review(self, customer: Customer) -> str:
        """Pass in the newest open tab; the vendor tells no yes, because a person has to look."""
        self.show(customer, face="p1", document="p1")
        self._collect(customer)
        approved = self._facts.approved
        customer.waiting = [each for each in customer.waiting if each.status not in approved]
        return self._revise(customer, approved, self._facts.review)

    def reject(self, customer: Customer) -> str:
        """Decide that the answer is no."""
        customer.may_be_declined = True
        return self._revise(customer, {self._facts.review}, self._facts.no)

    def accept(self, customer: Customer) -> str:
        """Decide that the answer is yes."""
        return self._revise(customer, {self._facts.review}, self._facts.yes)

    def overturn(self, customer: Customer) -> str:
        """Take a yes back, days later, so that the application's job has run."""
        self.run_job()
        customer.may_be_declined = True
        return self._revise(customer, self._facts.approved, self._facts.revised_to)

    def _revise(self, customer: Customer, before: Collection[str | None], after: str | None) -> str:
        for session in reversed(self._sessions(customer)):
            if session.status in before:
                self._persons.decide(session.id, after)
                return f"the vendor says {after}"
        return "there was none"

    # The application

    def run_job(self, _: Customer | None = None) -> str | None:
        """Run the application's own job, if it has one; return what it answers."""
        if self._application.job is None:
            return None
        self._job_answer = ask(self._application.job, "")
        return f"it answers {self._job_answer}"

    def kill(self, _: Customer) -> None:
        """Kill the application, and start it again."""
        if self._application.program is not None:
            self._application.program.restart()

    # Webhooks

    def lose(self, customer: Customer, *, number: int | None = None) -> str:
        """Lose the oldest webhooks that wait; None for all."""
        lost = customer.waiting[:number]
        del customer.waiting[:number]
        return ", ".join(delivery.status for delivery in lost)

    def deliver(
        self,
        customer: Customer,
        *,
        number: int | None = None,
        is_newest_first: bool = False,
        times: int = 1,
        at_once: bool = False,
        fault: Fault | None = None,
        older_by: dt.timedelta = dt.timedelta(),
        form: JsonForm | None = None,
        then_kill: bool = False,
    ) -> str:
        """Deliver webhooks that wait; return what the receiver answers to each.

        Args:
            customer: Whose webhooks.
            number: How many; None for all.
            is_newest_first: Whether the newest comes first.
            times, at_once: How often each comes, and whether at the same moment.
            fault: The vendor's fault meanwhile.
            older_by: How much older the events are made.
            form: The form of their JSON.
            then_kill: Whether the application is killed after its last answer.
        """
        if not customer.waiting:
            return "none waits"
        if fault is not None:
            self._control.add_fault(fault)
        told = []
        for _ in customer.waiting[:number]:
            delivery = customer.waiting.pop(-1 if is_newest_first else 0)
            happened_at = delivery.created_at - older_by
            delivery = self._change(delivery, created_at=happened_at, form=form)
            with ThreadPoolExecutor(times if at_once else 1) as pool:
                statuses = list(pool.map(self._send, [delivery] * times))
            told.append(self._note_answers(customer, delivery, statuses))
        if then_kill:
            self.kill(customer)
        self._control.clear_faults()
        return ", ".join(told)

    def deliver_tied(self, customer: Customer) -> str:
        """Deliver all webhooks as if their events had happened in one second, in another order.

        The oldest comes first and the others newest first, so that neither the first nor the last
        of equal seconds is the newest event; two come newest first.
        """
        if not customer.waiting:
            return "none waits"
        second = customer.waiting[-1].created_at.replace(microsecond=0)
        for position, delivery in enumerate(customer.waiting):
            happened_at = second + dt.timedelta(milliseconds=position)
            customer.waiting[position] = self._change(delivery, created_at=happened_at)
        told = [self.deliver(customer, number=1)] if len(customer.waiting) > 2 else []
        return ", ".join([*told, self.deliver(customer, is_newest_first=True)])

    def overtake(self, customer: Customer, *, fault: Fault, act: Act) -> str | None:
        """Let a customer act while the read about the newest webhook is under way and is slow.

        The webhooks of the act arrive before that read is answered.
        """
        if not customer.waiting:
            return act(self, customer)
        self.deliver(customer, number=len(customer.waiting) - 1)
        slow = customer.waiting.pop()
        self._control.add_fault(fault)
        with ThreadPoolExecutor(1) as pool:
            answering = pool.submit(self._send, slow)
            wait_until(lambda: answering.done() or not self._control.faults(), HELD_S)
            # The vendor computes its answer before it holds it.
            time.sleep(0.1)
            outcome = act(self, customer)
            self._collect(customer)
            told = self.deliver(customer)
            status = answering.result()
        self._control.clear_faults()
        return f"{outcome}; {told}, {self._note_answers(customer, slow, [status])}"

    def _note_answers(
        self, customer: Customer, delivery: WebhookDelivery, statuses: Sequence[int | None]
    ) -> str:
        """Note the answers to a delivery; one that was refused for now is kept for later."""
        if delivery.status in self._facts.approved:
            customer.answers_to_yes += statuses
        is_any_taken = any(is_taken(each) for each in statuses)
        self._seen.has_taken = bool(self._seen.has_taken) or is_any_taken
        if is_any_taken:
            customer.told.add((delivery.session_id, delivery.status))
        elif not self._is_final(statuses[-1]):
            customer.refused.append(delivery)
        cause = self._find_cause(customer, delivery, statuses[-1])
        shown = ", ".join(_shown(each) for each in statuses)
        return f"{delivery.status} ({shown}{cause})"

    def _find_cause(self, customer: Customer, delivery: WebhookDelivery, status: int | None) -> str:
        """Return why a genuine webhook is refused, if the JSON is verified in another form."""
        if status not in SIGNATURE_REFUSED or self._letters is None:
            return ""
        writer = self._letters.find_writer(delivery, self._post)
        if writer is None:
            return ""
        self._seen.has_taken = True
        cause = (
            f"it takes the same webhook in the form of {writer}, so it verifies JSON that it has "
            "written again: verify the bytes received"
        )
        self._fail(Verdict.REFUSES_WEBHOOKS, customer, cause)
        return f"; {cause}"

    def _is_final(self, status: int | None) -> bool:
        """Return whether the vendor does not repeat a delivery with this answer."""
        if status is None or self._facts.repeats_after_4xx:
            return False
        return 300 <= status < 500 and status != 404

    def _sign(self, delivery: WebhookDelivery, age_s: int = 0) -> SignedPayload:
        assert self._letters is not None  # noqa: S101 - a webhook waits
        # Signed by the application's clock, not by the one that is ahead for the events.
        return self._letters.sign(delivery, age_s=age_s, ahead_s=round(self._advanced_s))

    def _send(self, delivery: WebhookDelivery) -> int | None:
        return self._post(self._sign(delivery))

    def _post(self, payload: SignedPayload) -> int | None:
        """Post to the receiver; return its status, None for no answer in time.

        A receiver that hangs once is not waited for as long again.
        """
        receive = self._application.webhook
        if callable(receive):
            return receive(payload.body, dict(payload.headers))
        assert receive is not None  # noqa: S101 - the step has no obstacle
        sent = post(receive, payload, self._seen.receiver_s)
        if sent.status is None and sent.elapsed_ms >= 1000 * self._seen.receiver_s:
            self._is_hanging = True
            self._seen.receiver_s = HANGING_RECEIVER_S
        return sent.status

    def forge(self, customer: Customer, *, write: Callable[..., SignedPayload]) -> str:
        """Send a webhook that a method of `LetterWriter` writes in place of the vendor."""
        sessions = self._sessions(customer)
        if not sessions:
            return "there is no session"
        return self._try_thrice(
            customer, lambda: write(self._letters, sessions[-1]), Verdict.FORGERY
        )

    def replay(self, customer: Customer) -> str:
        """Send the newest webhook that waits as it was signed before the vendor's limit."""
        if not customer.waiting:
            return "none waits"
        age_s = (self._facts.max_age_s or 0) + 60
        newest = customer.waiting[-1]
        return self._try_thrice(customer, lambda: self._sign(newest, age_s), Verdict.REPLAY)

    def _try_thrice(
        self, customer: Customer, write: Callable[[], SignedPayload], verdict: Verdict
    ) -> str:
        """Send a webhook that a receiver must refuse; return what it answered.

        It is a failure if the application says approved because of it, or asks the vendor each
        time: three times, so that a read by a timer of the application is not taken for an act. A
        receiver alone must not take it.
        """
        was = self._read(customer).belief
        acted = 0
        for _ in range(3):
            calls = _last_number(self._control.journal(limit=1))
            status = self._post(write())
            acted += is_taken(status) and _last_number(self._control.journal(limit=1)) > calls
        believed = self._read(customer).belief
        if believed is Belief.APPROVED is not was:
            self._fail(verdict, customer, "the application says approved because of it")
        elif acted == 3:
            self._fail(verdict, customer, "the application takes it, and asks the vendor")
        elif self._application.state is None and is_taken(status):
            self._fail(verdict, customer, f"it answers {status}")
        return f"the application answers {_shown(status)}"


def _last_number(records: Sequence[Any]) -> int:
    return records[-1].number if records else 0


def _shown(status: int | None) -> str:
    return "nothing" if status is None else str(status)
