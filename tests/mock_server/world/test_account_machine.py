"""One account, and all of a server, against a model of each."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from urllib.parse import urlsplit

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kit import mock_didit as didit
from kit.mock_didit import control_request, didit_request, liveness_request, match_request, scene
from kit.mock_didit_sessions import NO_SESSION, list_request, session_request
from kit.mock_worlds import app_of

from facematch_mock_server import Fault, MockServer
from facematch_mock_server.world.clock import VirtualClock

LIVE_S = 3600
PRICES = {"match": Decimal("0.05"), "liveness": Decimal("0.03")}
NUMBERS = st.integers(1, 12)
SCORES = st.sampled_from([2, 30, 55.5, 99])
OWNERS = st.sampled_from([None, "emp-1", "emp-2"])
#: A null character is refused.
COMMENTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
STATUSES = st.sampled_from(["Approved", "Declined", "Resubmitted"])


class Account(RuleBasedStateMachine):
    @initialize(start=st.sampled_from(["100", "0.2"]))
    def begin(self, start):
        """A new world; the model knows the credit, and no session."""
        self.now = didit.START
        switches = {"start_credit": start, "write_limit": None, "get_limit": None}
        self.clock = VirtualClock(didit.START)
        self.app = app_of(didit.new_world(clock=self.clock, switches=switches))
        self.balance = Decimal(start)
        self.saved_count = 0
        self.sessions = {}
        self.deleted = []
        self.addresses = {}
        self.pages = {}
        self.save("match", 99, "emp-1", saved=True)
        self.save("liveness", 2, None, saved=True)

    def ask(self, request):
        response = self.app.handle(request)
        return response.status, response.json() if response.body else None

    @rule(
        kind=st.sampled_from(sorted(PRICES)),
        score=SCORES,
        vendor_data=OWNERS,
        saved=st.booleans(),
    )
    def save(self, kind, score, vendor_data, *, saved):
        """A call: paid, and kept if that is wished."""
        fields = {} if vendor_data is None else {"vendor_data": vendor_data}
        if not saved:
            fields["save_api_request"] = "false"
        ask = match_request if kind == "match" else liveness_request
        status, body = self.ask(ask(scene(score=score, n=self.saved_count), **fields))
        if self.balance < PRICES[kind]:
            assert (status, "error" in body) == (403, True)
            return
        assert status == 200
        self.balance -= PRICES[kind]
        if saved:
            self.saved_count += 1
            verdict = "Approved" if score > 30 else "Declined"
            self.sessions[body["request_id"]] = {
                "number": self.saved_count,
                "kind": kind,
                "status": verdict,
                "feature": verdict,
                "vendor_data": vendor_data,
                "reviews": [],
            }

    def chosen(self, number):
        """The id of a session that is there, in most cases, or was deleted, or never was."""
        ids = [*self.sessions, *self.sessions, *self.deleted[-2:], NO_SESSION]
        return ids[number % len(ids)]

    def decision_is(self, session_id, expected):
        """A decision has the status, the feature's own, and all reviews; its address is kept."""
        status, body = self.ask(session_request(f"/v3/session/{session_id}/decision/"))
        block = "face_matches" if expected["kind"] == "match" else "liveness_checks"
        (feature,) = body[block]
        assert (status, body["status"], feature["status"], body["vendor_data"]) == (
            200,
            expected["status"],
            expected["feature"],
            expected["vendor_data"],
        )
        assert [(review["new_status"], review["comment"]) for review in body["reviews"]] == [
            (status, (comment or "").strip()) for status, comment in expected["reviews"]
        ]
        parts = urlsplit(
            feature["target_image" if expected["kind"] == "match" else "reference_image"]
        )
        there = f"{parts.path}?{parts.query}"
        self.addresses.setdefault(there, (session_id, self.now.timestamp()))

    @rule(number=NUMBERS, status=STATUSES, comment=st.none() | COMMENTS)
    def update(self, number, status, comment):
        """To another status only, and to be resubmitted only what was not approved."""
        session_id = self.chosen(number)
        body = {"new_status": status, "comment": comment}
        path = f"/v3/session/{session_id}/update-status/"
        answered = self.ask(session_request(path, body, method="PATCH"))[0]
        expected = self.sessions.get(session_id)
        again = status == "Resubmitted"
        if expected is None:
            assert answered == 404
        elif status == expected["status"] or (again and expected["feature"] == "Approved"):
            assert answered == 400
        else:
            assert answered == 200
            expected["status"] = status
            expected["reviews"].append((status, comment))
            if again:
                expected["feature"] = "Resub Requested"

    @rule(number=NUMBERS)
    def delete(self, number):
        session_id = self.chosen(number)
        answered, _ = self.ask(
            session_request(f"/v3/session/{session_id}/delete/", method="DELETE")
        )
        assert answered == (200 if session_id in self.sessions else 404)
        if self.sessions.pop(session_id, None) is not None:
            self.deleted.append(session_id)

    @rule(status=STATUSES, vendor_data=OWNERS, limit=st.integers(1, 4))
    def list_some(self, status, vendor_data, limit):
        """What the filters let through, the newest first, page by page."""
        query = f"status={status}&limit={limit}"
        if vendor_data is not None:
            query += f"&vendor_data={vendor_data}"
        expected = [
            session["number"]
            for session in reversed(self.sessions.values())
            if session["status"] == status and vendor_data in (None, session["vendor_data"])
        ]
        numbers = []
        while query:
            body = self.ask(list_request(query))[1]
            assert body["count"] == len(expected)
            numbers += [row["session_number"] for row in body["results"]]
            query = body["next"] and urlsplit(body["next"]).query
        assert numbers == expected

    @rule(amount=st.sampled_from([50, 75]))
    def top_up(self, amount):
        """A payment page is made; the balance waits for the payment."""
        body = {"amount_in_dollars": amount}
        status, page = self.ask(session_request("/v3/billing/top-up/", body, method="POST"))
        assert status == 200
        assert set(page) == {"checkout_session_id", "checkout_session_url"}
        self.pages[page["checkout_session_id"]] = (amount, "open")

    def page_of(self, number):
        """The id of a page that was made, what it is about, and what became of it; or None."""
        if not self.pages:
            return None
        name = [*self.pages][number % len(self.pages)]
        return name, *self.pages[name]

    @rule(number=NUMBERS)
    def pay(self, number):
        page = self.page_of(number)
        if page is None:
            return
        name, amount, status = page
        answered = self.ask(control_request("payments/settle", {"id": name}))[0]
        if status == "canceled":
            assert answered == 400
            return
        assert answered == 200
        if status == "open":
            self.balance += amount
        self.pages[name] = (amount, "paid")

    @rule(number=NUMBERS)
    def cancel(self, number):
        page = self.page_of(number)
        if page is None:
            return
        name, amount, status = page
        answered = self.ask(control_request("payments/cancel", {"id": name}))[0]
        assert answered == (400 if status == "paid" else 200)
        if status != "paid":
            self.pages[name] = (amount, "canceled")

    @rule(seconds=st.sampled_from([1, 1800, LIVE_S, 90_000]))
    def later(self, seconds):
        self.now = self.clock.advance(seconds)

    @invariant()
    def addresses_are_good_or_dead(self):
        """One is good for an hour, while its session is there."""
        for address, (session_id, since) in list(self.addresses.items()):
            status = self.app.handle(didit_request(address, method="GET", key=None)).status
            if session_id not in self.sessions:
                assert status == 404
                del self.addresses[address]
            elif self.now.timestamp() >= int(since) + LIVE_S:
                assert status == 403
                del self.addresses[address]
            else:
                assert status == 200

    @invariant()
    def all_can_be_read(self):
        """The credit is what is left after what was paid; sessions are listed and can be read."""
        status, body = self.ask(session_request("/v3/billing/balance/"))
        assert (status, body["balance"]) == (200, f"{self.balance:.4f}")
        rows = self.ask(list_request("limit=100"))[1]["results"]
        assert [(row["session_id"], row["status"]) for row in rows] == [
            (session_id, session["status"])
            for session_id, session in reversed(self.sessions.items())
        ]
        for session_id, session in self.sessions.items():
            self.decision_is(session_id, session)
        for session_id in self.deleted[-2:]:
            assert self.ask(session_request(f"/v3/session/{session_id}/decision/"))[0] == 404


TestAccount = Account.TestCase
TestAccount.settings = settings(max_examples=25, stateful_step_count=20)


BUSY = Fault(stage="answer", kind="status", status=503)


@attrs.define
class OpenedAccount:
    """What the model has of an account that was opened."""

    name: str
    key: str
    control: object
    statuses: list = attrs.Factory(list)
    faults: int = 0
    is_open: bool = True
    added: str | None = None


class Accounts(RuleBasedStateMachine):
    """Calls with right, mistyped and late keys meet opening, resetting and closing."""

    @initialize()
    def begin(self):
        self.mock = MockServer()
        self.opened, self.in_main = [], []
        self.main_faults = 0

    def call(self, key):
        return self.mock.app.handle(match_request(key=key)).status

    def any_of(self, number):
        return self.opened[number % len(self.opened)] if self.opened else None

    @rule(name=st.sampled_from(["job-1", "job-2"]))
    def open(self, name):
        if any(each.is_open and each.name == name for each in self.opened):
            return
        account = self.mock.new_account(name)
        self.opened.append(OpenedAccount(name, account.live_key, account.control))

    @rule(number=NUMBERS)
    def close(self, number):
        account = self.any_of(number)
        if account is not None and account.is_open:
            self.mock.account(account.key).close()
            account.is_open, account.faults = False, 0

    @rule(number=NUMBERS)
    def reset(self, number):
        account = self.any_of(number)
        if account is not None and account.is_open:
            account.control.reset()
            account.statuses, account.faults, account.added = [], 0, None

    @rule(number=NUMBERS)
    def add_key(self, number):
        account = self.any_of(number)
        if account is not None and account.is_open and account.added is None:
            account.added = account.control.add_key()

    @rule(number=NUMBERS)
    def fault(self, number):
        account = self.any_of(number)
        if account is not None and account.is_open:
            account.control.add_fault(BUSY)
            account.faults += 1

    @rule(number=NUMBERS, kind=st.sampled_from(["right", "added", "mistyped"]))
    def ask(self, number, kind):
        account = self.any_of(number)
        if account is None or (kind == "added" and account.added is None):
            return
        key = {"right": account.key, "added": account.added, "mistyped": account.key + "x"}[kind]
        status = 200 if account.is_open and kind != "mistyped" else 403
        if account.faults:
            account.faults, status = account.faults - 1, 503
        assert self.call(key) == status
        account.statuses.append(status)

    @rule()
    def fault_of_main(self):
        self.mock.control.add_fault(BUSY)
        self.main_faults += 1

    @rule(key=st.sampled_from(["mock-live-key", "nobody-has-this", None]))
    def ask_main(self, key):
        status = {"mock-live-key": 200, "nobody-has-this": 403, None: 403}[key]
        if self.main_faults and (key == "mock-live-key" or not self.opened):
            self.main_faults, status = self.main_faults - 1, 503
        assert self.call(key) == status
        self.in_main.append(status)

    @invariant()
    def each_has_its_own(self):
        accounts = self.mock.accounts
        for account in self.opened:
            control = account.control
            assert [entry.status for entry in control.journal()] == account.statuses
            assert len(control.charges()) == account.statuses.count(200)
            assert len(control.faults()) == account.faults
            assert (accounts.find(account.key).closed_at is None) == account.is_open
        assert [entry.status for entry in self.mock.control.journal()] == self.in_main
        assert len(self.mock.control.faults()) == self.main_faults
        closed = [account for account in self.opened if not account.is_open]
        assert len(accounts.closed) == len(closed)
        assert len(accounts.all) == 1 + len(self.opened) - len(closed)


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_calls_beside_resets_and_closes_are_each_answered_in_their_account():
    mock, over = MockServer(), threading.Event()
    rounds = 25

    def live(number):
        """One account after the other: some calls with a reset among them, and a late one."""
        answers = []
        for _ in range(rounds):
            account = mock.new_account(f"job-{number}")
            control = account.control
            statuses = [
                mock.app.handle(match_request(key=account.live_key)).status for _ in range(2)
            ]
            control.reset()
            statuses.append(mock.app.handle(match_request(key=account.live_key)).status)
            account.close()
            statuses.append(mock.app.handle(match_request(key=account.live_key)).status)
            answers.append((statuses, len(control.charges()), len(control.journal())))
        return answers

    def disturb():
        while not over.is_set():
            mock.control.reset()
            mock.new_account("bystander").close()

    with ThreadPoolExecutor(4) as pool:
        disturbing = pool.submit(disturb)
        lives = [pool.submit(live, number) for number in range(3)]
        try:
            answers = [answer for each in lives for answer in each.result(60)]
        finally:
            over.set()
        disturbing.result(60)
    assert answers == [([200, 200, 200, 403], 1, 2)] * 3 * rounds
    assert [account.name for account in mock.accounts.all] == ["main"]
    assert mock.control.journal() == ()
    assert mock.accounts.sent_pictures.kept_bytes == mock.accounts.saved_pictures.kept_bytes == 0
