"""A program that runs one study, in one child after the other, each of which may die in the middle.

``python runner.py '{"store": ..., "study": ..., "didit": [...], "deepvue": [...]}'``. Each line on
stdin is ``WORKERS DIE_AT``: a child runs the study and ends without a word at that moment of its
store's life, counted from its start (0 for never). On stdout come its number and its exit code.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from facematch_comparison.run import RunDatabase, run_study
from facematch_comparison.study import read_pairs_csv
from facematch_core import ConfigurationError, FaceVerifier
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend

#: What a child that dies ends with: nothing is flushed, closed or told.
DEAD = 9
#: What a child ends with that another one keeps out.
HELD = 3
CAP = 100_000


class Life:
    """Counts moments, and ends the process at one of them."""

    def __init__(self, die_at):
        self._left = die_at
        self._lock = threading.Lock()

    def moment(self):
        """One more."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os._exit(DEAD)

    def around(self, step):
        """A transaction, of which three moments may be the last: before, within, after."""

        def within(connection):
            done = step(connection)
            self.moment()
            return done

        return within


class MortalDatabase(RunDatabase):
    """A database whose process may die at any step."""

    def __init__(self, where, life):
        self.life = life
        super().__init__(where)

    def _step(self, step):
        self.life.moment()
        done = super()._step(self.life.around(step))
        self.life.moment()
        return done


class MortalAttempts(SqlStore):
    """A store of calls whose process may die at any step."""

    def __init__(self, where, life):
        self.life = life
        super().__init__(where)

    def reserve(self, *args, **more):
        self.life.moment()
        done = super().reserve(*args, **more)
        self.life.moment()
        return done

    def finalize(self, *args, **more):
        self.life.moment()
        done = super().finalize(*args, **more)
        self.life.moment()
        return done


def openers(told, attempts):
    """The two vendors at the mock, each with a budget in the store."""

    def opened(backend, name):
        def opener(on_event):
            budget = Budget(CAP, name=name, store=attempts)
            return FaceVerifier(backend, policies=[budget], on_event=on_event)

        return opener

    url, key = told["didit"]
    didit = DiditBackend(api_key=key, base_url=url, environment="mock")
    url, client, secret = told["deepvue"]
    deepvue = DeepvueBackend(
        client_id=client, client_secret=secret, base_url=url, environment="mock"
    )
    return {"didit": opened(didit, "didit"), "deepvue": opened(deepvue, "deepvue")}


def run(told, workers, die_at):
    """Run the study; 1 if a system ended early or has a pair left, `HELD` if it was kept out."""
    life = Life(die_at)
    study = read_pairs_csv(Path(told["study"]))
    attempts = MortalAttempts(told["store"], life)
    database = MortalDatabase(told["store"], life)
    try:
        summary = run_study(
            study, openers(told, attempts), database, workers=workers, keep=["didit"]
        )
    except ConfigurationError as error:
        if "is in use by process" in error.message:
            return HELD
        raise
    finally:
        database.close()
        attempts.close()
    return int(any(one.error or one.progress.left for one in summary.systems))


def warm_up(told):
    """Import what a run needs, once for all children: by one where nobody listens."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        nobody = "http://127.0.0.1:1"
        _, client, secret = told["deepvue"]
        there = {"store": f"sqlite:///{folder}/study", "study": told["study"]}
        run({**there, "didit": [nobody, "key"], "deepvue": [nobody, client, secret]}, 1, 0)


def main(told):
    """What the program does."""
    told = json.loads(told)
    warm_up(told)
    for line in sys.stdin:
        workers, die_at = map(int, line.split())
        # Without a thread of its own: whatever a child has, it has made itself.
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = run(told, workers, die_at)
            finally:
                os._exit(code)
        say(pid)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def say(number):
    """A line for whoever started this program."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


class Runner:
    """The program, started. A context manager."""

    def __init__(self, told):
        self._child = 2**22 + 1  # nobody's
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            # To be killed with its child.
            start_new_session=True,
        )

    def begin(self, workers=4, die_at=0):
        """Start a child."""
        self._process.stdin.write(f"{workers} {die_at}\n")
        self._process.stdin.flush()
        self._child = int(self._process.stdout.readline())

    def ended(self):
        """What it ended with."""
        return int(self._process.stdout.readline())

    def run(self, workers=4, die_at=0):
        """A child, from its start to its end; its exit code."""
        self.begin(workers, die_at)
        return self.ended()

    def kill_child(self):
        """SIGKILL, for the child alone; its exit code."""
        os.kill(self._child, 9)
        return self.ended()

    def kill(self):
        """SIGKILL, for the program and its child."""
        os.killpg(self._process.pid, 9)
        self._process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self.kill()


if __name__ == "__main__":
    main(sys.argv[1])
