from core.store import processes
from kit.attempts import sums
from kit.marks import forks_beside_threads, needs_fork

pytestmark = [
    needs_fork,
    forks_beside_threads,
]


def test_parent_and_forked_child_share_an_open_store(sql):
    made = processes.forked(sql)
    spent, reserved, unknown = sums(sql)
    assert (spent + unknown, reserved) == (made, 0)
