"""Play the steps of stories: the customer, the person at the vendor, and the webhooks."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeAlias

import attrs

from facematch_mock_server.base.json_forms import JsonForm
from facematch_mock_server.server import Served
from facematch_mock_server.world.faults import Fault, Kind, Stage
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import (
    SIGNATURE_REFUSED,
    SignedPayload,
    WebhookDelivery,
    post,
)

from .application import Answer, Program, Target, ask
from .judge import Belief, Failure, Reading, Truth, Verdict, judge, judge_once, read
from .letters import LetterWriter, is_taken
from .stories import NOT_A_PASS, SENTENCES, find_obstacle

#: A step of a customer with this number.
Step: TypeAlias = tuple[int, str]
#: A function of a test that takes a webhook's body and headers, and returns the status.
Receive: TypeAlias = Callable[[bytes, Mapping[str, str]], int]

#: Seconds for which the first answer is held, until the second click has come.
_HELD_S = 1.0
#: Seconds that a slow read takes; and one that a kill shall interrupt.
_SLOW_S = 2.0
_INTERRUPTED_S = 0.3
#: Seconds in which an application that works in the background must have reached its state.
_SETTLING_S = 3.0
#: How often a vendor repeats a webhook that was not taken: the smallest number documented.
_REPEATS = 2
_NAMES = "Ada Ben Cleo Dan Eve Finn Gus Hana Ivan Jo Kim Leo Mia Nils Ola Pia Quin Rosa Sam Tess"


@attrs.frozen(kw_only=True)
class Application:
    """How the application is reached.

    Attributes:
        begin: Starts a verification, with ``{customer}``.
        state: Answers what it believes of ``{customer}``.
        webhook: The URL of its receiver, or a function of a test; None if it has none.
        secret: The secret with which the receiver verifies; None for a new one.
        job: Its own periodic job; None if it has none.
        words: The words of its states that are not usual.
        once: Fields of its state that count what must happen once.
        program: Its process; None if somebody else runs it.
        document_name: The name on the document that customers show; None for none.
    """

    begin: Target
    state: Target
    webhook: str | Receive | None
    secret: str | None = attrs.field(default=None, repr=False)
    job: Target | None = None
    words: Mapping[str, Belief] = attrs.field(factory=dict)
    once: Sequence[str] = ()
    program: Program | None = None
    document_name: str | None = None


@attrs.define(kw_only=True)
class Customer:
    """A customer in one run.

    Attributes:
        number: The number in the story.
        name: The name for which ``{customer}`` stands, new in each run.
        shown: The name in the story as it is told.
        sessions: The ids of the vendor's sessions, oldest first.
        tabs: The ids of the sessions whose link the customer has got.
        waiting, refused: The webhooks that have not arrived, and those that were not taken.
        wishes: How often the customer wished to be verified.
        steps: The steps so far.
        had_yes: Whether the vendor ever said yes.
        refused_with: The answer to the last begin, if the application has refused it in vain.
        told: The sessions and statuses whose webhooks the application has taken.
        answers_to_yes: The application's answers to webhooks that say yes.
    """

    number: int
    name: str
    shown: str
    sessions: list[str] = attrs.field(factory=list)
    tabs: list[str] = attrs.field(factory=list)
    waiting: list[WebhookDelivery] = attrs.field(factory=list)
    refused: list[WebhookDelivery] = attrs.field(factory=list)
    wishes: int = 0
    steps: set[str] = attrs.field(factory=set)
    had_yes: bool = False
    refused_with: str | None = None
    told: set[tuple[str, str]] = attrs.field(factory=set)
    answers_to_yes: list[int | None] = attrs.field(factory=list)


def shown_name(number: int) -> str:
    """Return the name of a customer in a story."""
    names = _NAMES.split()
    round_number = number // len(names)
    return names[number % len(names)] + (str(round_number + 1) if round_number else "")


class Player:
    """Plays stories at one vendor's mock and one application; a context manager.

    Args:
        mock: The mock at the vendor.
        application: The application.
    """

    def __init__(self, mock: Served, application: Application) -> None:
        """Prepare the mock for an application.

        It gets credit, no limits, and a destination that holds its webhooks. An application without
        webhooks gets none, and no forgeries are written.
        """
        self._control = mock.control
        self._mock = mock
        self._facts = mock.control.world.vendor.drilled
        self.application = application
        self._letters: LetterWriter | None = None
        # A right application must not fail by a limit of the mock's account.
        self._control.set_balance(10**6)
        for scope in self._control.limits():
            self._control.set_limit(scope, None)
        if application.document_name is not None:
            self._control.sessions.document(full_name=application.document_name)
        if application.webhook is not None:
            url = application.webhook
            url = url if isinstance(url, str) else "http://127.0.0.1:9/"
            events = self._control.world.outbox.rules.events if self._facts.all_events else None
            destination = self._control.webhooks.add(
                url, secret=application.secret, held=True, events=events
            )
            (approved,) = self._facts.approved
            self._letters = LetterWriter(mock=mock, destination=destination, approved=approved)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Each destination gets each event of the mock.
        if self._letters is not None:
            self._control.webhooks.remove(self._letters.destination.uuid)

    def find_obstacles(self) -> dict[str, str]:
        """Return the reason for each step that cannot be played."""
        obstacles = {}
        for step in SENTENCES:
            reason = find_obstacle(
                step,
                self._facts,
                has_job=self.application.job is not None,
                has_program=self.application.program is not None,
                has_webhook=self.application.webhook is not None,
            )
            if reason is not None:
                obstacles[step] = reason
        return obstacles

    def play(
        self, steps: Collection[Step], tell: Callable[[str], object] | None = None
    ) -> list[Failure]:
        """Play steps to their end, and return what is wrong.

        `tell` is called with each line of the story, if it is to be told. Raises ApplicationError.
        """
        run = _Run(self._mock, self.application, self._letters, tell)
        for number, step in steps:
            run.take(number, step)
        run.finish()
        return run.failures


class _Run:
    """One run of steps, with customers whom the application has never seen."""

    def __init__(
        self,
        mock: Served,
        application: Application,
        letters: LetterWriter | None,
        tell: Callable[[str], object] | None,
    ) -> None:
        """Begin a story.

        Customers get names of their own, and what happened before does not count.
        """
        self._control = mock.control
        self._facts = mock.control.world.vendor.drilled
        self._application = application
        self._letters = letters
        self._tell = tell
        self._prefix = f"drill-{secrets.token_hex(4)}-"
        self._customers: dict[int, Customer] = {}
        self._owners: dict[str, Customer] = {}
        self._began_at = time.monotonic()
        self._last_session = self._newest_session_number()
        self._last_delivery = 0
        if letters is not None:
            newest = self._control.webhooks.deliveries(limit=1)
            self._last_delivery = newest[-1].number if newest else 0
        self._charges_before = len(self._control.charges())
        self._job_answer: Answer | None = None
        self.failures: list[Failure] = []

    # The run

    def take(self, number: int, step: str) -> None:
        """Take one step of a customer, and look what the application believes after it."""
        customer = self._customers.get(number)
        if customer is None:
            customer = Customer(
                number=number, name=f"{self._prefix}{number}", shown=shown_name(number)
            )
            self._customers[number] = customer
        word, _, manner = step.partition("-")
        customer.steps.add(step)
        outcome = self._act(customer, word, manner)
        self._collect(customer)
        sentence = SENTENCES[step].format(
            c=customer.shown, age=(self._facts.max_age_s or 0) + 60, limit=self._facts.max_age_s
        )
        self._say(f"{sentence}: {outcome}" if outcome else sentence)
        customer.had_yes = customer.had_yes or self._truth(customer).is_yes(self._facts)
        reading = self._read(customer)
        if reading.belief is Belief.APPROVED and not customer.had_yes:
            verdict = Verdict.FORGERY if word in _FORGERIES else Verdict.FALSE_YES
            statuses = ", ".join(self._truth(customer).statuses) or "nothing"
            detail = f"the application says approved ({reading.shown}); the vendor says {statuses}"
            self._fail(verdict, customer, detail)

    def finish(self) -> None:
        """Deliver what still waits, as often as a vendor does, and judge each customer."""
        for _ in range(1 + _REPEATS):
            for customer in self._customers.values():
                self._deliver_rest(customer)
            self._run_job()
            if not any(customer.waiting for customer in self._customers.values()):
                break
        if self._application.program is not None:
            self._application.program.check_running()
        for customer in self._customers.values():
            self._judge(customer)
            self._judge_answers(customer)

    def _run_job(self) -> None:
        if self._application.job is not None:
            self._job_answer = ask(self._application.job, "")

    def _deliver_rest(self, customer: Customer) -> None:
        if customer.waiting:
            self._say(f"(then) {self._deliver_all(customer, '')}")
        self._collect(customer)
        customer.waiting += customer.refused
        customer.refused = []

    def _judge(self, customer: Customer) -> None:
        """Judge what the application believes of a customer, and keep each failure.

        An application may need a moment: until it is right, it is read and its job run again, for
        `_SETTLING_S` at most.
        """
        gives_up_at = time.monotonic() + _SETTLING_S
        is_last = False
        while True:
            reading = self._read(customer)
            truth = self._truth(customer)
            failures = judge(customer.number, reading, truth, self._facts, had_yes=customer.had_yes)
            failures += judge_once(
                customer.number, reading, self._application.once, had_yes=customer.had_yes
            )
            if not failures or is_last:
                break
            time.sleep(0.1)
            # A session may be due only now, so the job runs again, at last after the time is over.
            is_last = time.monotonic() > gives_up_at
            self._run_job()
        for failure in failures:
            self._fail(failure.verdict, customer, failure.detail)
        if customer.refused_with is not None and not truth.is_yes(self._facts):
            self._fail(Verdict.STUCK, customer, customer.refused_with)

    def _judge_answers(self, customer: Customer) -> None:
        """Judge a job that fails, and a receiver to which the vendor never gets its yes through."""
        answers = customer.answers_to_yes
        if answers and not any(is_taken(each) for each in answers):
            shown = _show_statuses(answers[-1:])
            detail = f"{shown} to each genuine webhook that says yes"
            if answers[-1] in SIGNATURE_REFUSED:
                detail += "; if it verifies with a secret of its own, give it to the drill, too"
            self._fail(Verdict.REFUSES_WEBHOOKS, customer, detail)
        if self._job_answer is not None and not self._job_answer.is_accepted:
            detail = f"--job answers {self._job_answer}"
            self._fail(Verdict.JOB_FAILS, customer, detail)

    def _fail(self, verdict: Verdict, customer: Customer, detail: str) -> None:
        known = {(failure.verdict, failure.customer) for failure in self.failures}
        if (verdict, customer.number) not in known:
            failure = Failure(verdict=verdict, customer=customer.number, detail=detail)
            self.failures.append(failure)

    def _say(self, line: str) -> None:
        if self._tell is not None:
            self._tell(f"{time.monotonic() - self._began_at:6.1f} s  {line}")

    def _read(self, customer: Customer) -> Reading:
        return read(ask(self._application.state, customer.name), self._application.words)

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
            may_be_declined=bool(customer.steps & NOT_A_PASS),
            is_no_told=is_told,
        )

    def _shown_status(self, customer: Customer, session: Session) -> str:
        # A session of liveness alone succeeds for an attacker, too.
        if self._letters is None and customer.steps & {"spoof", "other", "document"}:
            return f"{session.status}, not by {customer.shown}"
        return session.status

    def _sessions(self, customer: Customer) -> list[Session]:
        every = self._control.sessions.all()
        return [each for each in every if each.id in customer.sessions]

    def _newest_session_number(self) -> int:
        newest = self._control.sessions.all(limit=1)
        return newest[-1].number if newest else 0

    def _newest_call_number(self) -> int:
        newest = self._control.journal(limit=1)
        return newest[-1].number if newest else 0

    def _collect(self, customer: Customer) -> list[Session]:
        """Give new sessions to the customer, and queue the webhooks; return the sessions."""
        started = list(self._control.sessions.all(since=self._last_session))
        for session in started:
            self._last_session = session.number
            self._owners[session.id] = customer
            customer.sessions.append(session.id)
        if self._letters is not None:
            for delivery in self._control.webhooks.deliveries(since=self._last_delivery):
                self._last_delivery = delivery.number
                owner = self._owners.get(delivery.session_id)
                # The application may have added a webhook by the vendor's API, too.
                is_own = delivery.destination == self._letters.destination.uuid
                if owner is not None and is_own:
                    owner.waiting.append(delivery)
        return started

    # The customer

    def _act(self, customer: Customer, word: str, manner: str) -> str | None:
        """Do one step of a story.

        Return what came of it, None for a step that does nothing here.
        """
        if word == "begin":
            return self._begin(customer, manner)
        if word in _PERSON:
            return self._act_as_person(customer, word, manner)
        if word == "overturn":
            # Days later, so the application's job has run.
            self._run_job()
            return self._overturn(customer)
        if word == "hook":
            return self._deliver_one(customer, manner)
        if word == "hooks":
            return self._deliver_all(customer, manner)
        if word in _FORGERIES:
            return self._forge(customer, word)
        if word == "job":
            self._run_job()
            return f"it answers {self._job_answer}"
        if word == "kill" and self._application.program is not None:
            self._application.program.restart()
        return None

    def _begin(self, customer: Customer, manner: str) -> str:
        """Let a customer begin; return what the application answers.

        The customer wishes a new session unless one is open. Two clicks are sent at the same time.
        """
        open_ids = {session.id for session in self._control.sessions.open()}
        if not open_ids.intersection(customer.sessions):
            customer.wishes += 1
        if manner in _START_FAULTS:
            self._control.add_fault(_START_FAULTS[manner])
        clicks = 2 if manner == "twice" else 1
        started: list[Session] = []
        with ThreadPoolExecutor(clicks) as pool:
            answering = [
                pool.submit(ask, self._application.begin, customer.name) for _ in range(clicks)
            ]
            if manner == "early":
                started += self._deliver_before_answer(customer)
            answers = [each.result() for each in answering]
        self._control.clear_faults()
        started += self._collect(customer)
        has_link = self._hand_over(customer, answers)
        self._note_refusal(customer, answers, has_link=has_link, manner=manner)
        told = ", ".join(str(answer) for answer in answers)
        count = f", {len(started)} sessions started" if len(started) > 1 else ""
        return f"the application answers {told}{count}"

    def _deliver_before_answer(self, customer: Customer) -> list[Session]:
        """Deliver the webhook about a new session while the vendor's answer is held."""
        started: list[Session] = []
        gives_up_at = time.monotonic() + _HELD_S
        while not customer.waiting and time.monotonic() < gives_up_at:
            started += self._collect(customer)
            time.sleep(0.01)
        if customer.waiting:
            self._deliver_all(customer, "")
        return started

    def _hand_over(self, customer: Customer, answers: Sequence[Answer]) -> bool:
        """Note the sessions whose links the customer has got; return whether there is one."""
        accepted = [answer for answer in answers if answer.is_accepted]
        text = "\n".join(answer.text for answer in accepted)
        handed = []
        for session in self._sessions(customer):
            if session.id in text or hosted_of(session).token in text:
                handed.append(session.id)
        if not handed and accepted:
            # The link comes in another way, such as by mail or in a component's page.
            open_ids = [session.id for session in self._control.sessions.open()]
            handed += [each for each in customer.sessions if each in open_ids][-1:]
        customer.tabs += [each for each in handed if each not in customer.tabs]
        return bool(handed)

    def _note_refusal(
        self, customer: Customer, answers: Sequence[Answer], *, has_link: bool, manner: str
    ) -> None:
        """Note that the application gives an undecided customer no way on.

        A limit (429), a lost answer, and an open tab of an accepted answer are no refusal.
        """
        customer.refused_with = None
        truth = self._truth(customer)
        is_limit = any(answer.status == 429 for answer in answers)
        # Who is refused has lost the former tab, or would not ask again.
        is_accepted = any(answer.is_accepted for answer in answers)
        may_go_on = is_accepted and bool(self._open_tabs(customer))
        if has_link or may_go_on or is_limit or manner in ("503", "lost"):
            return
        if truth.is_yes(self._facts) or truth.is_no(self._facts):
            return
        customer.tabs.clear()
        statuses = ", ".join(truth.statuses) or "nothing"
        customer.refused_with = (
            f"the application answers {answers[-1]}, without a link; the vendor says {statuses}"
        )

    def _open_tabs(self, customer: Customer) -> list[str]:
        can_act = {session.id for session in self._control.sessions.open()}
        return [each for each in customer.tabs if each in can_act]

    def _act_as_person(self, customer: Customer, word: str, manner: str) -> str:
        """Act in the customer's first, last or all open tabs.

        Return the statuses that the vendor has then.
        """
        tabs = self._open_tabs(customer)
        if manner == "first":
            tabs = tabs[:1]
        elif manner != "all":
            tabs = tabs[-1:]
        sessions = self._control.sessions
        statuses = []
        for session_id in tabs:
            acted: Session
            if word == "fail":
                acted = sessions.fail_attempt(session_id)
            elif word == "leave":
                acted = sessions.abandon(session_id)
            elif word == "expire":
                acted = sessions.expire(session_id)
            else:
                acted = self._show_face(session_id, word)
            statuses.append(acted.status)
        if not statuses:
            return "no session is open"
        return f"the vendor says {', '.join(statuses)}"

    def _show_face(self, session_id: str, word: str) -> Session:
        """Finish a session with the face and the document of a word; return the session."""
        (session,) = [each for each in self._control.sessions.open() if each.id == session_id]
        face, document_of_face = _CARDS[word]
        document: str | None = document_of_face
        if hosted_of(session).kind != "kyc":
            # The session has a reference in place of a document, so only the face can be another.
            face = "p2" if word == "document" else face
            document = None
        acted: Session = self._control.sessions.finish(session_id, card=face, document=document)
        return acted

    def _overturn(self, customer: Customer) -> str:
        status = self._facts.revised_to
        for session in self._sessions(customer):
            if session.status in self._facts.approved and status is not None:
                self._control.sessions.decide(session.id, status)
                return f"the vendor says {status}"
        return "there was none"

    # Webhooks

    def _deliver_all(self, customer: Customer, manner: str) -> str:
        """Deliver all webhooks that wait, in their order; return what each answered."""
        if not customer.waiting:
            return "none waits"
        told = []
        if manner in _READ_FAULTS:
            self._control.add_fault(_READ_FAULTS[manner])
        while customer.waiting:
            is_last = len(customer.waiting) == 1
            told.append(self._deliver_one(customer, _MANNERS.get(manner, manner)))
            if manner == "kill" and is_last and self._application.program is not None:
                self._application.program.restart()
        self._control.clear_faults()
        return "; ".join(told)

    def _deliver_one(self, customer: Customer, manner: str) -> str:
        """Deliver the oldest webhook that waits, or the newest; return what the receiver answered.

        A lost one is not sent. One that the receiver refused for now is kept for later.
        """
        if not customer.waiting:
            return "none waits"
        delivery = customer.waiting.pop(-1 if manner == "newest" else 0)
        event = f"{delivery.event} ({delivery.status})"
        if manner == "lost":
            return event
        self._change(delivery, manner)
        times = 2 if manner in ("twice", "race") else 1
        workers = 2 if manner == "race" else 1
        with ThreadPoolExecutor(workers) as pool:
            statuses = list(pool.map(self._send, [delivery] * times))
        if delivery.status in self._facts.approved:
            customer.answers_to_yes += statuses
        if any(is_taken(each) for each in statuses):
            customer.told.add((delivery.session_id, delivery.status))
        elif not self._is_final(statuses[-1]):
            customer.refused.append(delivery)
        cause = self._find_cause(delivery, statuses[-1])
        return f"{event}: {_show_statuses(statuses)}{cause}"

    def _find_cause(self, delivery: WebhookDelivery, status: int | None) -> str:
        """Return why a genuine webhook is refused, if the JSON is verified in another form."""
        if status not in SIGNATURE_REFUSED or self._letters is None:
            return ""
        writer = self._letters.find_writer(delivery, self._post)
        if writer is None:
            return ""
        cause = (
            f"it takes the same webhook in the form of {writer}, so it verifies JSON that it has "
            "written again: verify the bytes received"
        )
        self._fail(Verdict.LOST_YES, self._owners[delivery.session_id], cause)
        return f"; {cause}"

    def _change(self, delivery: WebhookDelivery, manner: str) -> None:
        """Let a delivery be hours late, or write its JSON with unusual spaces."""
        deliveries = self._control.world.outbox.deliveries
        if manner == "late":
            created_at = delivery.created_at - dt.timedelta(hours=3)
            deliveries.change(delivery.id, lambda each: attrs.evolve(each, created_at=created_at))
        if manner == "spaced":
            form = JsonForm.UNUSUAL
            deliveries.change(delivery.id, lambda each: attrs.evolve(each, form=form))

    def _is_final(self, status: int | None) -> bool:
        """Return whether the vendor does not repeat a delivery with this answer."""
        if status is None or self._facts.repeats_after_4xx:
            return False
        return 300 <= status < 500 and status != 404

    def _send(self, delivery: WebhookDelivery) -> int | None:
        receive = self._application.webhook
        if callable(receive):
            letter = self._control.webhooks.delivery(delivery.id)
            return receive(letter.body, letter.headers)
        sent = self._control.webhooks.deliver(delivery.id)
        status: int | None = sent.attempts[-1].status
        return status

    def _post(self, payload: SignedPayload) -> int | None:
        receive = self._application.webhook
        if callable(receive):
            return receive(payload.body, dict(payload.headers))
        assert receive is not None  # noqa: S101 - the step has no obstacle
        return post(receive, payload, 10.0).status

    def _forge(self, customer: Customer, kind: str) -> str:
        """Send a forged webhook, or a genuine one that is too old.

        Return what the receiver answered. It is a failure if the application says approved because
        of it, or asks the vendor each time.
        """
        sessions = self._sessions(customer)
        letters = self._letters
        if not sessions or letters is None:
            return "there is no session"
        if kind == "old" and not customer.waiting:
            return "none waits"
        was = self._read(customer).belief
        statuses = []
        acted = 0
        # Three times, so that a read by a timer of the application is not taken for an act.
        for _ in range(3):
            if kind == "old":
                age_s = (self._facts.max_age_s or 0) + 60
                payload = letters.sign_before(customer.waiting[-1], age_s)
            else:
                payload = letters.forge(kind, sessions[-1])
            calls = self._newest_call_number()
            status = self._post(payload)
            statuses.append(status)
            acted += is_taken(status) and self._newest_call_number() > calls
        believed = self._read(customer).belief
        if believed is Belief.APPROVED is not was:
            self._fail(Verdict.FORGERY, customer, "the application says approved because of it")
        elif acted == 3:
            detail = "the application takes it, and asks the vendor because of it"
            self._fail(Verdict.FORGERY, customer, detail)
        return _show_statuses(statuses[:1])


def _show_statuses(statuses: Sequence[int | None]) -> str:
    shown = ", ".join("nothing" if each is None else str(each) for each in statuses)
    return f"the application answers {shown}"


_PERSON = frozenset({"pass", "other", "document", "spoof", "fail", "leave", "expire"})
_FORGERIES = frozenset({"unsigned", "forged", "changed", "old"})
#: The card of the face, and that of the document.
_CARDS = {
    "pass": ("p1", "p1"),
    "other": ("p2", "p1"),
    "document": ("p1", "p2"),
    "spoof": ("spoof", "p1"),
}
#: How one delivery of several is sent.
_MANNERS = {"reversed": "newest", "503": "", "429": "", "slow": "", "kill": ""}


def _delay(call: str, seconds: float, times: int | None) -> Fault:
    """Return a fault by which the vendor carries a call out, and answers later."""
    return Fault(
        stage=Stage.AFTER_UPLOAD,
        kind=Kind.DELAY,
        seconds=seconds,
        executed=True,
        call=call,
        times=times,
    )


def _refusal(call: str, status: int) -> Fault:
    headers = {"Retry-After": 1} if status == 429 else None
    return Fault(
        stage=Stage.ANSWER, kind=Kind.STATUS, status=status, headers=headers, call=call, times=None
    )


_START_FAULTS = {
    "503": _refusal("session_start", 503),
    "lost": Fault(
        stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=True, call="session_start", times=1
    ),
    "twice": _delay("session_start", _HELD_S, 1),
    "early": _delay("session_start", _HELD_S, 1),
}
_READ_FAULTS = {
    "503": _refusal("session_read", 503),
    "429": _refusal("session_read", 429),
    "slow": _delay("session_read", _SLOW_S, None),
    "kill": _delay("session_read", _INTERRUPTED_S, None),
}
