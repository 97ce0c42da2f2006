"""Use and pay in Django's own transaction, on the database where a second writer waits."""

import json

import pytest
from kit import warm


@pytest.mark.parametrize("mode", ["DEFERRED", "IMMEDIATE"])
def test_atomic_views_pay_at_once_and_a_rollback_leaves_the_session_unused(tmp_path, mode):
    done = warm.run("core.sessions.django_shop", tmp_path, mode)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert len(outcomes) == 6
    for way, outcome in outcomes.items():
        if way.endswith("fail"):
            assert outcome == {"status": 500, "payouts": 0, "is_used": False}
        else:
            assert outcome == {"status": 200, "payouts": 1, "is_used": True}
