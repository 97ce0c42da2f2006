"""In which order pairs are asked: what a run that ended early leaves is a sample of the whole."""

import attrs
import pytest
from kit.comparison.studies import failing, opener, write_study
from kit.fakes import FakeBackend, picture

from facematch_comparison.run import RunDatabase, read_answers, run_study
from facematch_core.errors import AuthenticationFailed
from facematch_core.resilience import Budget


@pytest.fixture
def sorted_study(tmp_path):
    """80 mated pairs, then 160 others, sorted by person: ten pairs in a row are of one."""
    study = write_study(tmp_path / "pictures", pairs=240)
    for at, pair in enumerate(study.pairs):
        pair.probe.write_bytes(picture((at, 0, 0), kind="PNG").data)
    pairs = [
        attrs.evolve(
            pair,
            mated=at < 80,
            probe_subject=f"P{at // 10:02}",
            reference_subject=f"P{at // 10:02}" if at < 80 else f"Q{at}",
        )
        for at, pair in enumerate(study.pairs)
    ]
    return attrs.evolve(study, pairs=tuple(pairs))


def asked_by(study, database, name, *limits):
    """Which pairs each of these budgets bought in turn, in the order of the calls."""
    backend = FakeBackend()
    for limit in limits:
        system = opener(backend, policies=[Budget(limit, name=f"{name}-{limit}")])
        run_study(study, {name: system}, database, workers=1)
    places = {pair.probe.read_bytes(): at for at, pair in enumerate(study.pairs)}
    return [places[call.probe.data] for call in backend.calls]


def test_a_budget_that_ends_early_buys_some_of_everything(sorted_study, database):
    """Mated and non-mated pairs in proportion, and of all people, however the file is sorted."""
    places = asked_by(sorted_study, database, "fake", 150)
    assert len(set(places)) == 150
    mated = [at for at in places if at < 80]
    assert abs(len(mated) - 50) <= 1
    # Of each person, and so of each part of the file, about as much as of all.
    bought = [sum(at // 10 == person for at in places) for person in range(24)]
    assert min(bought) >= 2
    assert sum(at < 40 for at in mated) == pytest.approx(25, abs=8)
    # At any moment before that, too.
    for count in (30, 60, 90):
        assert abs(3 * sum(at < 80 for at in places[:count]) - count) <= 6


def test_the_order_is_that_of_the_study_in_every_start(sorted_study, database):
    """Three starts ask what one would have asked, and nothing twice; another study, otherwise."""
    whole = asked_by(sorted_study, database, "whole", 240)
    assert sorted(whole) == list(range(240))
    assert asked_by(sorted_study, database, "parts", 20, 100, 120) == whole
    fewer = attrs.evolve(sorted_study, pairs=sorted_study.pairs[:-1])
    assert asked_by(attrs.evolve(fewer, name="fewer"), database, "other", 239) != whole[:239]


def test_answers_stand_in_the_order_of_the_file(sorted_study, address):
    """Whatever was asked first."""
    database = RunDatabase(address)
    stop = failing(AuthenticationFailed("No."))
    run_study(sorted_study, {"fake": opener(FakeBackend(script=[None, stop]))}, database, workers=1)
    (answers,) = read_answers(database, database.study())
    (first,) = answers.table.answered.nonzero()[0]
    run_study(sorted_study, {"fake": opener()}, database, workers=1)
    database.close()
    assert answers.table.mated.tolist() == [True] * 80 + [False] * 160
    assert first == asked_first(sorted_study, address)


def asked_first(study, address):
    """The first pair that another system is asked about."""
    database = RunDatabase(address)
    place = asked_by(study, database, "again", 1)[0]
    database.close()
    return place
