"""What several processes do to one store, for the tests over SQLite and over PostgreSQL.

Also a program: ``python store_processes.py ADDRESS VERB NUMBER``.
"""

import os
import signal
import subprocess
import sys
import uuid

from facematch_core import BudgetExceeded, CallRecord, Charged, Environment, Operation
from facematch_core.resilience import AttemptContext, Budget, Outcome
from facematch_core.store import SqlStore
from facematch_core.testing import ManualClock

CAP = 100
WAYS = [Charged.YES, Charged.UNKNOWN, Charged.NO]


def passage():
    """One call of this process."""
    call = CallRecord(
        id=str(uuid.uuid4()),
        operation=Operation.MATCH,
        backend="fake",
        started_at=ManualClock().now(),
        kept=True,
    )
    return AttemptContext(call=call, number=1, paid=True, environment=Environment.PRODUCTION)


def spend(budget, tries):
    """Make calls, of which every third is not charged; how many may have been, and were refused."""
    passed = refused = 0
    for number in range(tries):
        try:
            leave = budget.enter(passage())
        except BudgetExceeded:
            refused += 1
            continue
        billed = WAYS[number % 3]
        leave(Outcome(charged=billed, sent=True, asked_s=1.0))
        passed += billed is not Charged.NO
    return passed, refused


def start(address, verb, number=0):
    """A process that does something to a store."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", __file__, address, verb, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def side_by_side(address, count=2):
    """Some at once, which also make the tables at once; what may have been charged in all."""
    started = [start(address, "spend", 80) for _ in range(count)]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [process.communicate(timeout=120)[0].split() for process in started]
    assert [process.returncode for process in started] == [0] * count
    return sum(int(passed) for passed, _ in counts), sum(int(refused) for _, refused in counts)


def killed(address):
    """A process that is killed in the middle of its calls; how many they were."""
    process = start(address, "hold", 7)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    return 7


def forked(store):
    """Parent and child use one store that was opened before; how many each made."""
    budget = Budget(CAP, name="shop", store=store)
    assert spend(budget, 3) == (2, 0)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if spend(budget, 30) == (20, 0) else 1
        finally:
            os._exit(code)
    mine = spend(budget, 30)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert mine == (20, 0)
    # And once more, when the child is gone and has taken nothing with it.
    assert spend(budget, 3) == (2, 0)
    return 44


def main(address, verb, number):
    """What a process does."""
    store = SqlStore(address)
    budget = Budget(CAP, name="shop", store=store)
    if verb == "hold":
        for _ in range(number):
            budget.enter(passage())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write("{} {}".format(*spend(budget, number)))
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
