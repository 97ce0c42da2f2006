"""A life: what customers, a vendor and daily jobs do by a plan, and what was wished and paid."""

import collections
import contextlib

import attrs
import requests
import sqlalchemy as sa
from kit.cards import CARDS
from simulation import plan as plans
from simulation.laws import CALLS_OF_CHECK, find_faults, is_right
from simulation.world import ADA, DECLINED, WITHOUT_DOCUMENT, YEAR_S, Died, Process, World

import facematch_core as fm
from facematch_core.checks.making import LEASE_S


class Life:
    """Live by a plan in a database: `run` once.

    Attributes:
        log: A line for each action, how it ended, and the vendors' charges until then; before it,
            a line for each accident in it.
        deaths, swaps: Number of deaths, and of actions in between.
        bills: The charges for uploads, by what is charged and its number.
        billed: The two pictures of each upload that was charged, by the vendors' ids.
        charged: Number of charges of each wish: the call, the customer, the matter, the pictures,
            whether they are kept, and whether it came after an erasure, which ends all earlier
            wishes.
        disturbed: The customer and matter of each step in which something went wrong.
        given_up: Number of unknown outcomes that were given up, by customer and matter.
        films: The cards that were shown in the sessions.
        page: What the desk was shown last: the kind, the step with the case, and the evidence.
        decided: The decisions that came back, with their customers.
        erased: The customers whose erasure was begun.
        gone: Those whose erasure has ended once.
        gone_ids: The ids of their sessions then.
        unpaid: The (kind, customer, matter) that may be used, since a process died on the way to
            the payout.
        faults: What must not be, as sentences.
    """

    def __init__(self, plan, address):
        self.plan = plan
        self.log = []
        self.deaths = self.swaps = 0
        self.bills = set()
        self.billed = {}
        self.charged = collections.Counter()
        self.disturbed = set()
        self.given_up = collections.Counter()
        self.films = {}
        self.page = None
        self.decided = []
        self.erased = []
        self.gone = set()
        self.gone_ids = set()
        self.unpaid = []
        self.faults = []
        #: The processes that act, with what they do; the last one in the place of the others.
        self._acting = []
        self.world = World(plan.vendor, address)

    def run(self):
        """Do the steps and three days of daily jobs; return the faults."""
        with self.world, contextlib.ExitStack() as stack:
            self.world.at_point = self._at_point
            self.world.after = self._after
            self.processes = [
                Process(self.world, number, ahead_s, self.plan.limit)
                for number, ahead_s in enumerate((0, self.plan.skew_s))
            ]
            for process in self.processes:
                stack.callback(process.close)
            with self.processes[0].transaction() as connection:
                connection.exec_driver_sql(
                    "CREATE TABLE payouts (kind TEXT, customer TEXT, matter TEXT, erased INT)"
                )
            for step in self.plan.steps:
                self._act(step)
            self._run_daily_jobs()
            with self.processes[0].transaction() as connection:
                self.faults += find_faults(self, connection)
        return self.faults

    def _act(self, step):
        """Do a step, and write down how it ended; then send it again if the plan says so."""
        if step.action in plans.BY_CUSTOMER and step.customer in self.erased:
            return
        process = self.processes[step.process]
        if any(each.process is process for each in self._acting):
            return
        acting = _Acting(process, step, self.world.clock.monotonic())
        self._acting.append(acting)
        try:
            end = getattr(self, f"_{step.action}")(process, step) or "done"
        except Died:
            end = "died"
        except fm.FaceMatchError as error:
            end = type(error).__name__
            if isinstance(error, fm.OutcomeUnknown):
                if not self._may_be_unknown(step):
                    self.faults.append(f"{step.customer} was told of a lost check: none was lost")
                self.disturbed.add(step.case)
        self._tell(f"{end}; charges {len(self.bills)}")
        self._acting.pop()
        self.world.line.cut.clear()
        if process.is_dead:
            process.die()
            process.start()
        if step.again_in is not None:
            again = {"process": step.again_in, "dies_at": None, "again_in": None}
            self._act(attrs.evolve(step, **again))

    def _tell(self, text):
        """Write a line about who acts, further to the right while another one waits for it."""
        step = self._acting[-1].step
        about = f"{step.customer}, matter {step.matter}" if step.is_of_case else str(step.choice)
        if step.action == "upload":
            about += f", {step.upload}"
        indent = "    " * (len(self._acting) - 1)
        self.log.append(f"{indent}process {step.process}: {step.action} ({about}): {text}")

    def _may_be_unknown(self, step):
        """Return whether something went wrong in a check of a case, or is too slow by now."""
        slow = self.world.clock.monotonic() - LEASE_S
        cases = {each.step.case for each in self._acting if each.begun_s <= slow}
        return step.case in self.disturbed | cases

    def _at_point(self, reached, *, may_swap):
        """Let the acting process die here, or the other one act first, as its step says."""
        if not self._acting:
            return
        acting = self._acting[-1]
        if acting.process.is_dead:
            raise Died
        acting.points += 1
        if acting.points == acting.step.dies_at:
            acting.process.is_dead = True
            self.deaths += 1
            self.disturbed.add(acting.step.case)
            self._tell(f"killed before {reached}")
            raise Died
        if not may_swap or acting.process.in_transaction:
            return
        acting.places += 1
        if acting.swap and acting.places >= acting.step.swap_at:
            steps, acting.swap = acting.swap, ()
            self.swaps += 1
            self._tell(f"waits before {reached}")
            for step in steps:
                self._act(step)

    def _after(self, done):
        """Count a "commit", "request" or "connection", and charges; let it fail perhaps."""
        if not self._acting:
            return
        acting = self._acting[-1]
        self._count_charges(acting.step)
        acting.done[done] += 1
        if (done, acting.done[done]) == (acting.step.loses, acting.step.loses_at):
            self.disturbed.add(acting.step.case)
            number = acting.done[done]
            if done == "connection":
                self._tell(f"connections {number} and {number + 1} fail")
                self.world.line.cut[""] = 2
                return
            self._tell(f"the answer to {done} {number} is lost")
            if done == "commit":
                raise fm.StoreUnavailable("The answer to a COMMIT was lost.")
            raise requests.ConnectionError("The answer to a request was lost.")

    def _count_charges(self, step):
        """Note for which wish the vendor has charged since it was asked last."""
        wish = (*step.case, step.upload, step.customer in self.erased)
        for charge in (*self.world.uploads.charges(), *self.world.second.charges()):
            call = CALLS_OF_CHECK.get(charge.what)
            bill = (charge.what, charge.number)
            if call is not None and bill not in self.bills:
                self.bills.add(bill)
                self.billed[charge.request_id] = step.pictures
                self.charged[call, step.action, *wish] += 1

    # What may happen, by a step.

    def _upload(self, process, step):
        """Check two pictures, and pay out."""
        probe, reference = step.pictures
        case = self._case_of(process, "upload", step)
        result = case.verify_live(CARDS[probe], CARDS[reference], retention=step.retention)
        if (result.decision is fm.LiveMatchDecision.VERIFIED) != is_right(probe):
            self.faults.append(f"{step.customer} showed {probe} and is {result.decision}")
        return self._pay(process, "upload", step, case.use)

    def _give_up(self, process, step):
        # Counted before, because it may die in it.
        self.given_up[step.case] += 1
        if not self._case_of(process, "upload", step).give_up():
            self.given_up[step.case] -= 1

    def _begin(self, process, step):
        begun = self._case_of(process, "session", step).begin()
        is_gone = begun.access is not None and begun.record.id in self.gone_ids
        # Without the database, it does not hear of the erasure.
        if is_gone and step.loses != "commit":
            self.faults.append(f"the erased {step.customer} may enter a session")

    def _payout(self, process, step):
        if step.choice % 5 == 0:
            return self._pay(process, "upload", step, self._case_of(process, "upload", step).use)
        case = self._case_of(process, "session", step)
        return self._pay(process, "session", step, lambda **to: case.use(max_age_s=YEAR_S, **to))

    @staticmethod
    def _case_of(process, kind, step):
        store = process.checks if kind == "upload" else process.sessions
        return store.of(step.customer, purpose="payout", about=step.matter)

    def _pay(self, process, kind, step, use):
        """Pay out in the transaction of the use; or, for every second, in another one after it."""
        payout = {"kind": kind, "customer": step.customer, "matter": step.matter}
        case = tuple(payout.values())
        self.unpaid.append(case)
        is_together = step.choice % 2 > 0
        was_gone = step.customer in self.gone

        def use_once(**to):
            used = use(**to)
            if used and step.customer in self.gone and not was_gone:
                self.faults.append(f"matter {step.matter} of the erased {step.customer} was used")
            return used

        try:
            used = None if is_together else use_once()
        except fm.StoreUnavailable:
            process.undoing.append(case)
            raise
        with process.transaction() as connection:
            used = use_once(connection=connection) if is_together else used
            if used:
                payout["erased"] = int(step.customer in self.erased)
                query = "INSERT INTO payouts VALUES (:kind, :customer, :matter, :erased)"
                connection.execute(sa.text(query), payout)
        self.unpaid.remove(case)
        return "PAID" if used else f"use {used}"

    def _film(self, _process, step):
        """A person goes through an open session, mostly the newest; the vendor writes webhooks."""
        control = self.world.sessions.sessions
        sessions = [*control.open()]
        if not sessions:
            return "nobody"
        session = sessions[step.choice % len(sessions) if step.choice % 3 == 0 else -1]
        card, name = plans.FILMED[step.choice % len(plans.FILMED)]
        vendor = self.plan.vendor
        if vendor not in WITHOUT_DOCUMENT:
            control.document(session.id, full_name=name, date_of_birth=ADA.date_of_birth)
        if card == "declined":
            control.finish(session.id, card=CARDS["p1" if vendor in DECLINED else "attack"])
            if vendor in DECLINED:
                control.decide(session.id, DECLINED[vendor])
        else:
            control.finish(session.id, card=CARDS[card])
        self.films[session.id] = (card, name)
        return f"{card}, {name}"

    def _decide(self, process, step):
        """A person decides by the page of a case, or by the last one, shown long ago perhaps."""
        if step.choice % 3 or self.page is None:
            for kind in ("upload", "session"):
                found = self._case_of(process, kind, step).find()
                if found is not None and found.evidence is not None:
                    self.page = (kind, step, found.evidence)
        if self.page is None:
            return "nothing to decide"
        kind, shown, evidence = self.page
        # In the other process, somebody else decides otherwise.
        decision = {
            "evidence": evidence,
            "accept": (step.choice + process.number) % 4 > 0,
            "by": f"staff-{process.number}",
            "reason": "seen",
        }
        case = self._case_of(process, kind, shown)
        if step.choice % 5 < 3:
            with process.transaction() as connection:
                decided = case.decide(**decision, connection=connection)
        else:
            decided = case.decide(**decision)
        self.decided.append((shown.customer, decided))
        return f"{kind} of {shown.customer} {shown.matter}: accept={decided.accept}"

    def _hear(self, process, step):
        """A webhook comes: any of those that were sent, perhaps once more."""
        self.world.collect_letters()
        if not self.world.letters:
            return "nothing"
        letter = self.world.letters[step.choice % len(self.world.letters)]
        return str(process.sessions.receive(letter.body, dict(letter.headers)))

    def _look(self, process, _step):
        process.sessions.look()

    def _reconcile(self, process, _step):
        process.checks.reconcile()

    def _wait(self, _process, step):
        self.world.clock.sleep(plans.WAITS_S[step.choice % len(plans.WAITS_S)])

    def _erase(self, process, step):
        if step.customer not in self.erased:
            self.erased.append(step.customer)
        erased = process.sessions.erase(step.customer)
        self.gone_ids |= {each.record_id for each in erased}
        process.checks.erase(step.customer)
        self.gone.add(step.customer)

    def _run_daily_jobs(self):
        """Nobody dies any more; each day all jobs run, and erasures are asked for again."""
        for _ in range(3):
            self.world.clock.sleep(86_400)
            for process in self.processes:
                process.checks.reconcile()
                process.search_unknown()
                process.sessions.look()
                for customer in self.erased:
                    process.sessions.erase(customer)
                    process.checks.erase(customer)
        for process in self.processes:
            for case in process.undoing:
                self.unpaid.remove(case)


@attrs.define
class _Acting:
    """A process in the middle of a step.

    Attributes:
        begun_s: When it began, on the world's clock.
        points, places: Number of points that it has reached, and of those without a transaction.
        done: Number of its stores' commits, its requests, and connections before these.
        swap: What is still to come in between.
    """

    process: Process
    step: plans.Step
    begun_s: float
    points: int = 0
    places: int = 0
    done: collections.Counter = attrs.field(factory=collections.Counter)
    swap: tuple = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.swap = self.step.swap
