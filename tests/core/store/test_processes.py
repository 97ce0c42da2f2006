from core.store import processes
from kit.attempts import NOW, later, sums
from kit.marks import forks_beside_threads, needs_fork

from facematch_core import Charged, Retention
from facematch_core.store import expire_reservations

pytestmark = [
    needs_fork,
    forks_beside_threads,
]


def test_reservations_of_a_killed_process_become_unknown_until_finalized(sql, address):
    reserved = processes.killed(address)
    assert sums(sql) == (0, reserved, 0)
    assert expire_reservations(sql, later(minutes=14)) == 0
    assert expire_reservations(sql, later(minutes=15)) == reserved
    assert sums(sql) == (0, 0, reserved)
    reservations = sql.open_reservations()
    assert all(reservation.call.retention is Retention.KEEP for reservation in reservations)
    for reservation in reservations:
        sql.finalize(reservation, Charged.NO, at=NOW)
    assert sums(sql) == (0, 0, 0)


def test_parent_and_forked_child_share_an_open_store(sql):
    made = processes.forked(sql)
    spent, reserved, unknown = sums(sql)
    assert (spent + unknown, reserved) == (made, 0)
