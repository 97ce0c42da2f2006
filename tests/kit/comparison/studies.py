"""Studies and databases for the tests of runs."""

import functools

import numpy as np
import pytest
from kit.attempts import new_record
from kit.fakes import FakeBackend, match_result, picture

from facematch_comparison import PairState, Study, StudyPair, run_study
from facematch_comparison.run.records import StoredStudy
from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    FaceVerifier,
    Reconciled,
    Reconciliation,
    Score,
)
from facematch_core.batch.records import PairOutcome, StoredSystem

#: As a system of the scripted backend is asked.
SYSTEM_SETTINGS = {
    "backend": "fake",
    "environment": "production",
    "threshold": 50.0,
    "rule": "at_least",
    "review_threshold": None,
}


@pytest.fixture
def in_file_order(monkeypatch):
    """Pairs are asked in the order of the study, so that a script knows which comes first."""
    monkeypatch.setattr(StoredStudy, "turns", lambda study: np.arange(study.pairs))


@functools.cache
def _bytes(number):
    return picture((number % 256, number // 256, 77)).data


def write_study(folder, pairs=6, groups=None):
    folder.mkdir(exist_ok=True)
    study_pairs = []
    for number in range(pairs):
        paths = [folder / f"Anna-{number}-{side}.jpg" for side in "ab"]
        for side, path in enumerate(paths):
            path.write_bytes(_bytes(2 * number + side))
        mated = number % 2 == 0
        study_pairs.append(
            StudyPair(
                probe=paths[0],
                reference=paths[1],
                mated=mated,
                probe_subject=f"Anna {number}",
                reference_subject=f"Anna {number}" if mated else f"Bertha {number}",
            )
        )
    return Study(name="people", pairs=tuple(study_pairs), groups=groups or {})


def stored_study(pairs=6, digest="0" * 64):
    mated = [number % 2 for number in range(pairs)]
    places = [*range(pairs)]
    content = {"mated": mated, "probe": places, "reference": places, "groups": {}}
    return StoredStudy(digest=digest, name="people", content=content)


def enter_system(database, pairs=6, name="fake", **settings):
    study = database.enter_study(stored_study(pairs))
    return database.enter_system(
        study, StoredSystem(name=name, settings=SYSTEM_SETTINGS | settings)
    )


def opener(backend=None, **verifier):
    """What opens a system over a scripted backend, which is its attribute."""

    def opened(on_event):
        return FaceVerifier(opened.backend, on_event=on_event, **verifier)

    opened.backend = backend or FakeBackend()
    return opened


def pair_states(database, system=None):
    system = system or stored_system(database)
    pairs = database.progress(system.number).pairs
    return [row.state for row in database.answers(system.number, range(pairs))]


def stored_system(database):
    return database.systems()[0]


def charged_answer(**more):
    def step(_call):
        facts = {"score": Score(80.0, "fake/v1"), "billing": Billing(Charged.YES)}
        return match_result(**facts | more)

    return step


def fail_with(error):
    def step(_call):
        raise error

    return step


def run_once(database, study, system, **more):
    more = {"workers": 1, **more}
    return run_study(study, {"fake": system}, database, **more).systems[0]


class RecordingBackend(FakeBackend):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.records = {}

    def reconcile(self, call, *, deadline):
        result = self.records.get(call.id)
        if result is None:
            return Reconciliation(outcome=Reconciled.NOT_YET, call=call, reason="Not yet.")
        return Reconciliation(outcome=Reconciled.FOUND, call=call, reason="There.", result=result)


def begin_pair(database, system, pair=0, **more):
    call = new_record(**more)
    database.begin(system.number, pair, call)
    return call


def ask_pair(database, system, pair=0, **more):
    call = begin_pair(database, system, pair, **more)
    database.ask(system.number, pair, call.id)
    return call


#: Ends of a call, with what may be charged for it.
CHARGED_BY_STATE = {
    PairState.ANSWERED: Charged.YES,
    PairState.FAILED: Charged.NO,
    PairState.UNRESOLVED: Charged.UNKNOWN,
    PairState.NO_RESPONSE: Charged.YES,
    PairState.FREE: Charged.NO,
}


def pair_outcome(state, call_id):
    answered = state is PairState.ANSWERED
    return PairOutcome(
        state=state,
        billed=CHARGED_BY_STATE[state],
        decision=Decision.MATCH if answered else None,
        score=80.0 if answered else None,
        environment=Environment.PRODUCTION if answered else None,
        error=None if answered else "AnError",
        call_id=call_id,
    )
