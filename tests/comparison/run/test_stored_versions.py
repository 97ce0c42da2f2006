"""Each later version opens the run databases that this one has written."""

import contextlib
from pathlib import Path

from kit.comparison.studies import (
    ask_pair,
    begin_pair,
    enter_system,
    pair_outcome,
    stored_study,
    stored_system,
)
from kit.stored_versions import read_or_write, restore, schema

from facematch_comparison import PairState, RunDatabase
from facematch_core import Charged
from facematch_core.batch.recorder import VERSION
from facematch_core.testing import ManualClock

GOLDEN = Path(__file__).parent / "golden"
#: The states in which the pairs are left, and as they count once the process is dead.
STATES = [
    PairState.ANSWERED,
    PairState.FAILED,
    PairState.UNRESOLVED,
    PairState.NO_RESPONSE,
    PairState.ASKED,
    PairState.BEGUN,
    PairState.FREE,
]


def opened(address):
    return contextlib.closing(RunDatabase(address, clock=ManualClock()))


def make(address):
    with opened(address) as database:
        system = enter_system(database, pairs=len(STATES))
        for pair, state in enumerate(STATES):
            call_id = f"call-{pair}"
            if state is PairState.BEGUN:
                begin_pair(database, system, pair, id=call_id)
            elif state is not PairState.FREE:
                ask_pair(database, system, pair, id=call_id)
                if state is not PairState.ASKED:
                    database.end(system.number, pair, pair_outcome(state, call_id))


def check(address):
    with opened(address) as database:
        assert database.study() == stored_study(len(STATES))
        system = stored_system(database)
        answers = database.answers(system.number, len(STATES))
        assert [answer.state for answer in answers] == STATES
        assert answers[0] == pair_outcome(PairState.ANSWERED, "call-0")
        database.recover_from_dead_run(system, lambda _call_ids, _charged: None)
        unresolved = [charge.call.id for charge in database.unresolved(system)]
        assert unresolved == ["call-2", "call-3", "call-4"]
        assert database.resolve(system.number, "call-2", Charged.NO)
        assert database.free(system.number) == [2, 5, 6]
        assert enter_system(database, pairs=len(STATES)).number == system.number
        assert database.free(system.number) == [1, 2, 5, 6]
        ask_pair(database, system, pair=6, id="call-9")
        database.end(system.number, 6, pair_outcome(PairState.ANSWERED, "call-9"))
        assert database.progress(system.number).states[PairState.ANSWERED] == 2


def test_current_version_has_a_file_with_its_schema(tmp_path):
    kept = read_or_write(GOLDEN / f"run_{VERSION}.sql", make, tmp_path / "made.sqlite3")
    restore(kept, tmp_path / "kept.sqlite3")
    make(f"sqlite:///{tmp_path / 'now.sqlite3'}")
    assert schema(tmp_path / "kept.sqlite3") == schema(tmp_path / "now.sqlite3")


def test_file_of_each_version_is_read_and_continued(tmp_path):
    files = sorted(GOLDEN.glob("run_*.sql"))
    assert files
    for file in files:
        check(restore(file.read_text("utf-8"), tmp_path / f"{file.stem}.sqlite3"))
