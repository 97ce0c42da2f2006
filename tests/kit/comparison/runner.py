"""A program that runs one study, in one child after the other, each of which may die in the middle.

``python runner.py '{"store": ..., "study": ..., "didit": [...], "deepvue": [...]}'``. Each line on
stdin is ``WORKERS DIE_AT``: a child runs the study and ends without a word at that moment of its
store's life, counted from its start (0 for never). On stdout comes its exit code.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from facematch_comparison.run import RunDatabase, run_study
from facematch_comparison.study import read_study
from facematch_core import FaceVerifier
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend

#: What a child that dies ends with: `kill -9`, so that nothing is flushed, closed or said.
DEAD = -signal.SIGKILL
CAP = 100_000


class Life:
    """Counts moments, and ends the process at one of them."""

    def __init__(self, die_at):
        self._steps_to_go = die_at
        self._lock = threading.Lock()

    def moment(self):
        with self._lock:
            self._steps_to_go -= 1
            if self._steps_to_go == 0:
                os.kill(os.getpid(), signal.SIGKILL)

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

    def transact(self, step, *parameters):
        self.life.moment()
        done = super().transact(self.life.around(lambda db: step(db, *parameters)))
        self.life.moment()
        return done


class MortalAttempts(SqlStore):
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


def openers(settings, attempts):
    """The two vendors at the mock, each with a budget in the store."""

    def opened(backend, name):
        def opener(on_event):
            budget = Budget(CAP, name=name, store=attempts)
            return FaceVerifier(backend, policies=[budget], on_event=on_event)

        return opener

    url, key = settings["didit"]
    didit = DiditBackend(api_key=key, base_url=url, environment="mock")
    url, client, secret = settings["deepvue"]
    deepvue = DeepvueBackend(
        client_id=client, client_secret=secret, base_url=url, environment="mock"
    )
    return {"didit": opened(didit, "didit"), "deepvue": opened(deepvue, "deepvue")}


def run(settings, workers, die_at):
    """Run the study; 1 if a system ended early or has a pair left."""
    life = Life(die_at)
    study = read_study(Path(settings["study"]))
    attempts = MortalAttempts(settings["store"], life)
    database = MortalDatabase(settings["store"], life)
    try:
        summary = run_study(
            study, openers(settings, attempts), database, workers=workers, keep=["didit"]
        )
    finally:
        database.close()
        attempts.close()
    return int(any(system.error or system.progress.left for system in summary.systems))


def warm_up(settings):
    """Import what a run needs, once for all children: by one where nobody listens."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        nobody = "http://127.0.0.1:1"
        _, client, secret = settings["deepvue"]
        there = {"store": f"sqlite:///{folder}/study", "study": settings["study"]}
        run({**there, "didit": [nobody, "key"], "deepvue": [nobody, client, secret]}, 1, 0)


def main(settings_json):
    settings = json.loads(settings_json)
    warm_up(settings)
    for line in sys.stdin:
        workers, die_at = map(int, line.split())
        # Without a thread of its own: whatever a child has, it has made itself.
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = run(settings, workers, die_at)
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201


class Runner:
    def __init__(self, settings):
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            # To be killed with its child.
            start_new_session=True,
        )

    def run(self, workers=4, die_at=0):
        """A child, from its start to its end; its exit code."""
        self._process.stdin.write(f"{workers} {die_at}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

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
