import os

import pytest
from core.store import processes
from kit.attempts import NOW, later, sums

from facematch_core import Charged
from facematch_core.store import expire_reservations

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def test_what_a_killed_process_reserved_is_unknown_until_somebody_knows(sql, address):
    held = processes.killed(address)
    assert sums(sql) == (0, held, 0)
    assert expire_reservations(sql, later(minutes=14)) == 0
    assert expire_reservations(sql, later(minutes=15)) == held
    assert sums(sql) == (0, 0, held)
    reservations = sql.open_reservations()
    assert all(reservation.call.kept for reservation in reservations)
    for reservation in reservations:
        sql.finalize(reservation, Charged.NO, at=NOW)
    assert sums(sql) == (0, 0, 0)


def test_parent_and_child_share_a_file_that_was_opened_before_the_fork(sql):
    used = processes.forked(sql)
    spent, reserved, unknown = sums(sql)
    assert (spent + unknown, reserved) == (used, 0)
