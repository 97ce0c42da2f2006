"""A database: entered once, quick with many pairs, and nothing personal in it."""

import time
from decimal import Decimal

import attrs
import pytest
from kit.comparison.studies import (
    SETTINGS,
    begun,
    ended,
    entered,
    later,
    opener,
    states,
    stored_study,
    write_study,
)
from kit.fakes import together

from facematch_comparison.run import RunDatabase, StoredSystem, run_study
from facematch_comparison.run.schema import Outcome, PairState
from facematch_core import Charged, ConfigurationError, Decision, Environment, InvalidRequest
from facematch_core.store import SqlStore


def system(name="fake", **changes):
    """A system that nobody has entered."""
    facts = {"number": 0, "study": "", "settings": SETTINGS, "scale": None, "answered_from": None}
    return StoredSystem(**facts | {"name": name, "price": None, "currency": None} | changes)


def test_a_study_keeps_its_first_name(database):
    """Entered again, by whatever name, it is the same study: nothing is paid anew."""
    study = database.enter_study(stored_study())
    again = database.enter_study(attrs.evolve(study, name="another", made_at=later(days=1)))
    assert again == study
    assert database.studies() == (study,)
    assert database.study() == database.study("people") == database.study(study.digest) == study


def test_another_study_of_the_name_is_refused(database):
    """Answers of two studies must not be mixed."""
    database.enter_study(stored_study())
    with pytest.raises(InvalidRequest, match="another test set called 'people'"):
        database.enter_study(stored_study(digest="1" * 64))
    assert len(database.studies()) == 1


def test_a_study_must_be_named_where_there_are_several(database):
    """The sentence lists them."""
    with pytest.raises(InvalidRequest, match="no such test set; there are: none"):
        database.study()
    database.enter_study(stored_study())
    others = stored_study(digest="1" * 64, name="others")
    database.enter_study(attrs.evolve(others, made_at=later(days=1)))
    with pytest.raises(InvalidRequest, match=r"there are: people, others. Name one \(--study\)\."):
        database.study()
    with pytest.raises(InvalidRequest, match="no such test set; there are: people, others"):
        database.study("nobody")


def test_a_system_is_entered_once_with_all_its_pairs(database):
    """The second time nothing is added, and what was done stays done."""
    study = database.enter_study(stored_study(4))
    first = database.enter_system(study, system())
    begun(database, first)
    assert database.enter_system(study, system()) == first
    assert states(database, first) == ["begun", "free", "free", "free"]
    assert database.systems(study.digest) == (first,)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "threshold",
            60.0,
            "threshold 50.0 in this test set, and is now set to 60.0",
        ),
        ("backend", "other", "backend fake in this test set, and is now set to other"),
        ("rule", "above", "threshold rule at_least"),
        ("environment", "mock", "environment production"),
        ("review_threshold", 70.0, "review threshold None"),
    ],
)
def test_settings_that_change_answers_may_not_change(database, key, value, words):
    """One study has answers of one kind."""
    study = database.enter_study(stored_study())
    database.enter_system(study, system())
    with pytest.raises(InvalidRequest, match=words):
        database.enter_system(study, system(settings=SETTINGS | {key: value}))


def test_prices_and_what_is_kept_may_change(database):
    """The last price counts; what was kept once stays kept."""
    study = database.enter_study(stored_study())
    database.enter_system(study, system(settings=SETTINGS | {"kept": True}))
    again = database.enter_system(study, system(price=Decimal("0.05"), currency="USD"))
    assert (again.price, again.currency, again.settings["kept"]) == (Decimal("0.05"), "USD", True)
    database.enter_system(study, system())
    assert database.systems(study.digest) == (again,)


def test_the_first_answer_says_where_answers_come_from(database):
    """What it did not tell is told by a later one; of one from elsewhere the charge is kept."""
    one = entered(database, 4)
    first = ended(PairState.ANSWERED, None)
    faces = {"environment": Environment.MOCK, "score": None}
    ends = [
        attrs.evolve(first, decision=Decision.INCONCLUSIVE, **faces),
        attrs.evolve(first, environment=Environment.MOCK, scale="fake/v1"),
        attrs.evolve(first, scale="fake/v1"),
        attrs.evolve(first, environment=Environment.MOCK, scale="fake/v2"),
    ]
    differing = [database.end(one.number, [(pair, end)])[1] for pair, end in enumerate(ends)]
    assert [what is None for what in differing] == [True, True, False, False]
    assert states(database, one) == ["answered", "answered", "no response", "no response"]
    assert database.progress(one.number).charged == 4


def test_it_lies_beside_a_store_of_attempts(address):
    """Either finds the tables of the other, whichever came first, and leaves them alone."""
    store = SqlStore(address)
    database = RunDatabase(address)
    entered(database)
    beside = database.calls()
    assert beside is not None
    again = SqlStore(address)
    assert again.budgets() == ()
    for one in (store, database, beside, again):
        one.close()
    other = address.replace("study", "other")
    database = RunDatabase(other)
    assert database.calls() is None
    store = SqlStore(other)
    assert store.open_reservations() == ()
    store.close()
    database.close()


def test_another_version_is_left_alone(database, address):
    """One sentence, and nothing is changed."""
    with database._database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE facematch_comparison_store SET version = 3")
    with pytest.raises(ConfigurationError, match="of version 3, and this facematch has version 4"):
        RunDatabase(address)


def test_several_processes_open_it_at_once(address):
    """The tables are made once."""
    assert together(6, lambda: RunDatabase(address).close()) == [None] * 6
    database = RunDatabase(address)
    assert database.studies() == ()
    database.close()


@pytest.mark.parametrize(
    "where",
    ["postgresql+psycopg://me:canary@db/faces", "mysql://db/x", "study.sqlite3", "", "sqlite://"],
)
def test_it_is_a_file_of_sqlite(where):
    """One sentence, without what may be a password; no server is asked."""
    with pytest.raises(ConfigurationError, match="is an SQLite file on this machine") as caught:
        RunDatabase(where)
    assert "canary" not in str(caught.value)


def test_100_000_pairs_are_entered_and_found_at_once(database):
    """One statement each, however many."""
    count = 100_000
    started = time.perf_counter()
    system = entered(database, count)
    assert database.free(system.number) == list(range(count))
    # A second or so.
    assert time.perf_counter() - started < 60


def test_progress_counts(database):
    """By state and charge; what was answered without two faces is told apart."""
    system = entered(database, 5)
    billed = [Charged.YES, Charged.YES, Charged.UNKNOWN, Charged.NO]
    ends = [
        (PairState.ANSWERED, Decision.MATCH),
        (PairState.ANSWERED, Decision.INCONCLUSIVE),
        (PairState.UNRESOLVED, None),
        (PairState.ANSWERED, None),
    ]
    database.end(
        system.number,
        [
            (pair, Outcome(state=state, decision=decision, billed=charge))
            for pair, ((state, decision), charge) in enumerate(zip(ends, billed, strict=True))
        ],
    )
    progress = database.progress(system.number)
    assert progress.states == {
        PairState.ANSWERED: 3,
        PairState.UNRESOLVED: 1,
        PairState.FREE: 1,
    }
    assert (progress.not_acquired, progress.charged, progress.maybe_charged) == (2, 2, 1)
    assert (progress.pairs, progress.left) == (5, 1)


def test_nothing_personal_is_stored(tmp_path, address):
    """No byte of a picture, no name of a file or of a person, no key; digests and answers only."""
    study = write_study(tmp_path / "Photographs-of-Anna", groups={"sex": {"Anna 0": "f"}})
    database = RunDatabase(address)
    run_study(study, {"fake": opener()}, database)
    (stored,) = database.studies()
    assert stored.content["groups"]["sex"]["labels"] == ["f"]
    database.close()
    found = b"".join(path.read_bytes() for path in tmp_path.glob("study.sqlite3*"))
    assert b"answered" in found
    for canary in (b"Anna", b"Bertha", b"Photographs", b".jpg", study.pairs[0].probe.read_bytes()):
        assert canary not in found
    # Nor a piece of a picture: the same 16 bytes nowhere.
    data = study.pairs[0].probe.read_bytes()
    assert not any(data[at : at + 16] in found for at in range(0, len(data) - 16, 16))
