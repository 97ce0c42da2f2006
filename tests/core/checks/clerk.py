"""A shop of several processes with many threads each."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from kit import warm
from kit.fakes import FakeBackend, picture

import facematch_core as fm
from facematch_core.checks import making

SELFIES = [picture((60 * number, 0, 0)) for number in range(4)]
THREADS = 16


class Vendor(FakeBackend):
    """Writes each charge to a file."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def _answer(self, request, *classes):
        with self.file.open("a") as charges:
            charges.write(f"{request.operation}\n")
        return super()._answer(request, *classes)


def answer_of(check, selfie):
    """Make a check; the machine may be so busy that a second click is needed."""
    while True:
        try:
            return check(selfie, picture())
        except fm.CheckUnderWay:
            pass


def pay(case, address):
    """Check, use and pay, as one request that is sent many times; return whether it was paid."""
    answer_of(case.verify_live, SELFIES[0])
    # SQLite lets one transaction write; the others wait.
    waiting = {"timeout": 60} if address.startswith("sqlite") else {}
    engine = sa.create_engine(address, connect_args=waiting)
    with engine.begin() as connection:
        use = case.use(connection=connection)
        if use:
            connection.execute(sa.text("INSERT INTO payouts VALUES (1)"))
    engine.dispose()
    return use is not fm.Use.NO


def work(address, file, task, all_ready, counted):
    """Do a task in each thread, once all processes are ready; count the threads that got a yes."""
    making._POLL_S = 0.02  # noqa: SLF001 - so that the test is over soon
    making.LEASE_S = 120.0  # however busy the machine is
    with fm.CheckStore(address, fm.FaceVerifier(Vendor(Path(file)))) as store:
        case = store.of("customer-17", purpose="payout", about="payout 8841")

        def act(number):
            if task == "use":
                return bool(case.use())
            if task == "whole request":
                return pay(case, address)
            selfie = SELFIES[number % 4 if task == "click four pictures" else 0]
            return answer_of(case.verify, selfie).is_match

        all_ready.wait(240)
        with ThreadPoolExecutor(THREADS) as pool:
            counted.put(sum(pool.map(act, range(THREADS))))


def count_yes(address, file, task, processes=4):
    """Do a task in so many processes at once; return the number of threads that got a yes."""
    all_ready = warm.CONTEXT.Barrier(processes)
    counted = warm.CONTEXT.Queue()
    arguments = (address, file, task, all_ready, counted)
    children = [warm.start(work, *arguments) for _ in range(processes)]
    try:
        return sum(counted.get(timeout=240) for _ in children)
    finally:
        for child in children:
            child.kill()
            child.join()
            child.close()
        counted.close()
        counted.join_thread()
