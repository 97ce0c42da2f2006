"""A process is killed at each step of a request that pays; sent again, it pays exactly once."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

#: A request checks, uses and pays; its process dies before a step, such as a statement. Each runs
#: in a child of its own, so that modules are imported once.
PROGRAM = r"""
import contextlib, datetime, os, pathlib, signal, sys
import sqlalchemy as sa
from kit.fakes import FakeBackend, picture
import facematch_core as fm
from facematch_core.testing import ManualClock

address, sent, form = sys.argv[1:]
sent = pathlib.Path(sent)

class Request:
    def __init__(self, dies_at, clock):
        self.dies_at, self.steps = dies_at, 0
        sa.event.listen(sa.Engine, "before_cursor_execute", lambda *_: self.step())
        sa.event.listen(sa.Engine, "commit", lambda _: self.step())
        backend = FakeBackend(script=[self.answer] * 4)
        self.store = fm.CheckStore(address, fm.FaceVerifier(backend, clock=clock))
        self.engine = sa.create_engine(address)

    def step(self):
        self.steps += 1
        if self.steps == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def answer(self, _request):
        self.step()

    def send(self, about):
        # A provider of payments: it pays once for each idempotency key.
        self.step()
        with sent.open("a") as file:
            file.write(about + "\n")
        self.step()

    def book(self, connection, about):
        connection.execute(sa.text("INSERT INTO payouts VALUES (:about)"), {"about": about})

    def pay(self, about):
        case = self.store.of("customer-17", purpose="payout", about=about)
        case.give_up()
        assert case.verify_live(picture(), picture((10, 20, 30))).is_verified
        if form == "in a transaction":
            with self.engine.begin() as connection:
                use = case.use(connection=connection)
                if use:
                    self.book(connection, about)
            return use
        use = case.use()
        if use:
            self.send(about)
            with self.engine.begin() as connection:
                self.book(connection, about)
        return use

    def send_what_is_missing(self, about):
        # The one job: it sends what the own table misses.
        case = self.store.of("customer-17", purpose="payout", about=about)
        query = sa.text("SELECT count(*) FROM payouts WHERE about = :about")
        with self.engine.begin() as connection:
            if connection.execute(query, {"about": about}).scalar_one() or not case.find().used_at:
                return
        self.send(about)
        with self.engine.begin() as connection:
            self.book(connection, about)

def in_child(work):
    child = os.fork()
    if child == 0:
        work()
        sys.stdout.flush()
        os._exit(0)
    return os.waitpid(child, 0)[1]

now = datetime.datetime.now(datetime.UTC)
with contextlib.closing(sa.create_engine(address).connect()) as connection:
    connection.execute(sa.text("CREATE TABLE payouts (about TEXT)"))
    connection.commit()
in_child(lambda: fm.CheckStore(address, fm.FaceVerifier(FakeBackend())).close())
kills = 0
while True:
    about = f"payout {kills + 1}"
    if not in_child(lambda: Request(kills + 1, ManualClock(now)).pay(about)):
        break
    kills += 1
    later = ManualClock(now + datetime.timedelta(seconds=13))  # than the lease of the dead process

    def again():
        request = Request(0, later)
        uses = [request.pay(about) for _ in range(2)]
        assert uses[1] is fm.Use.AGAIN, uses
        if form != "in a transaction":
            request.send_what_is_missing(about)

    assert in_child(again) == 0, about
print(kills)
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["in a transaction", "by a provider"])
def test_killed_request_that_is_sent_again_pays_exactly_once(address, tmp_path, form):
    sent = tmp_path / "sent"
    sent.touch()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, address, str(sent), form],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        stdout=subprocess.PIPE,
        text=True,
        timeout=500,
        check=True,
    )
    kills = int(done.stdout)
    assert kills >= 24
    engine = sa.create_engine(address)
    with engine.connect() as connection:
        booked = connection.execute(sa.text("SELECT about FROM payouts")).scalars().all()
    engine.dispose()
    matters = {f"payout {number + 1}" for number in range(kills + 1)}
    assert (len(booked), set(booked)) == (len(matters), matters)
    if form == "by a provider":
        assert set(sent.read_text().splitlines()) == matters
