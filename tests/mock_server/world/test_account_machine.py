"""All accounts of a server, against a model of each."""

import threading
from concurrent.futures import ThreadPoolExecutor

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kit.mock_didit import match_request

from facematch_mock_server import Fault, MockServer

NUMBERS = st.integers(1, 12)
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
