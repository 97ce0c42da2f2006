"""Read what is due, each second: `python worker.py`. Once a day: `python worker.py daily`."""

import logging
import sys
import time

import shop
from faces import Faces, opened

from facematch_core import StoreUnavailable

KEPT_DAYS = 90  # how long a payout may be disputed
log = logging.getLogger("shop")


def look(faces: Faces) -> None:
    """Raise the alarm for each payout whose verdict was taken back."""
    try:
        sessions = faces.sessions.look()
    except StoreUnavailable as error:  # the database restarts: the next look tells all
        log.warning("%s", error)
        return
    for session in sessions:
        if session.is_revoked:
            log.critical("%s was paid, and passes no longer", session.record.id)


def tidy(faces: Faces) -> None:
    """Find lost answers, repeat the erasures that are left, and forget what is old."""
    faces.checks.reconcile()
    for customer in shop.erasures_left():
        faces.erase(customer)
    shop.forget_uploads()
    faces.sessions.forget(KEPT_DAYS)
    faces.checks.forget(KEPT_DAYS)


if __name__ == "__main__":
    with opened() as faces:
        if sys.argv[1:] == ["daily"]:
            tidy(faces)
            sys.exit()
        while True:
            look(faces)
            time.sleep(1)
