"""A client process of its own: ``python client.py ADDRESS KEY STORE VERB [WHAT]``."""

import os
import subprocess
import sys
import threading

from kit.fakes import picture

from facematch_core import BudgetExceeded, FaceVerifier, Retention
from facematch_core.errors import VendorError
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_didit import DiditBackend

CAP, THREADS = 100, 4
NAME = "shop"


def start(mock, store, *words):
    return subprocess.Popen(
        [sys.executable, "-W", "error", __file__, mock.url, mock.live_key, store, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def spend(verifier):
    """Make calls until there is certainly no room for another one."""
    while True:
        try:
            verifier.verify(picture(), picture((20, 30, 40)))
        except BudgetExceeded as error:
            if not error.reserved:
                return
        except VendorError:
            continue


def ask(verifier):
    """One call, which the vendor is to keep."""
    verifier.verify(picture(), picture((20, 30, 40)), retention=Retention.KEEP)


def main(address, key, store, verb, what=""):

    def hold(event):
        if event.kind.name.title() == what:
            say("here")
            sys.stdin.readline()

    attempts = SqlStore(store)
    backend = DiditBackend(api_key=key, base_url=address)
    gates = [Budget(CAP, name=NAME, store=attempts)]
    with FaceVerifier(backend, policies=gates, on_event=hold) as verifier:
        if verb == "ask":
            ask(verifier)
            return
        say("ready")
        sys.stdin.readline()
        threads = [threading.Thread(target=spend, args=[verifier]) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
