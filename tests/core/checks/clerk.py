"""A process of a shop with many threads, for tests of several: `python -m core.checks.clerk`."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
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


def main(address, file, task):
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

        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        with ThreadPoolExecutor(THREADS) as pool:
            sys.stdout.write(str(sum(pool.map(act, range(THREADS)))))


def count_yes(address, file, task, processes=4):
    """Do a task in so many processes at once; return the number of threads that got a yes."""
    command = [sys.executable, "-m", "core.checks.clerk", address, str(file), task]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    children = [subprocess.Popen(command, env=environment, **pipe) for _ in range(processes)]
    try:
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        return sum(int(child.communicate(timeout=240)[0]) for child in children)
    finally:
        for child in children:
            child.kill()
            child.communicate()


if __name__ == "__main__":
    main(*sys.argv[1:])
