"""Run one study in one child process after the other; each may be killed at any step.

``python runner.py '{"store": ..., "study": ..., "url": ..., "didit": [...], "deepvue": [...]}'``.
Each line on stdin is ``WORKERS DIE_AT``: a child runs the study and ends without a word at that
moment of its store's life, counted from its start (0 for never). On stdout comes its exit code.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from facematch_comparison import RunDatabase, read_study, run_study
from facematch_core import FaceVerifier
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend

#: What a child that dies ends with: `kill -9`, so that nothing is flushed, closed or said.
DEAD = -signal.SIGKILL


class Life:
    def __init__(self, die_at):
        self._steps_to_go = die_at
        self._lock = threading.Lock()

    def moment(self):
        with self._lock:
            self._steps_to_go -= 1
            if self._steps_to_go == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, step, *about, **more):
        self.moment()
        done = step(*about, **more)
        self.moment()
        return done


def mortal_stores(address, life):
    """A run database and a store of calls whose process may die at any step."""

    class Database(RunDatabase):
        @contextlib.contextmanager
        def transaction(self):
            life.moment()
            with super().transaction() as db:
                yield db
                life.moment()
            life.moment()

    class Attempts(SqlStore):
        def reserve(self, *about, **more):
            return life.around(super().reserve, *about, **more)

        def finalize(self, *about, **more):
            return life.around(super().finalize, *about, **more)

    return Database(address), Attempts(address)


def run(settings, workers, die_at):
    study = read_study(Path(settings["study"]))
    database, attempts = mortal_stores(settings["store"], Life(die_at))

    def opener(kind, **how):
        backend = kind(**how, base_url=settings["url"], environment="mock")

        def opened(on_event):
            budget = Budget(100_000, name=backend.name, store=attempts)
            return FaceVerifier(backend, policies=[budget], on_event=on_event)

        return opened

    client, secret = settings["deepvue"]
    systems = {
        "didit": opener(DiditBackend, api_key=settings["didit"]),
        "deepvue": opener(DeepvueBackend, client_id=client, client_secret=secret),
    }
    try:
        summary = run_study(study, systems, database, workers=workers, keep=["didit"])
    finally:
        database.close()
        attempts.close()
    return int(any(system.error or system.progress.left for system in summary.systems))


def main(settings_json):
    settings = json.loads(settings_json)
    # Import what a run needs, once for all children: by one where nobody listens.
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        nobody = {"store": f"sqlite:///{folder}/study", "url": "http://127.0.0.1:1"}
        run(settings | nobody, 1, 0)
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
        """Start this file as a program, which runs the study in a fork for each line on stdin."""
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
        self._process.stdin.write(f"{workers} {die_at}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


if __name__ == "__main__":
    main(sys.argv[1])
