import attrs
import pytest
from kit.attempts import later
from kit.comparison.studies import (
    SYSTEM_SETTINGS,
    enter_system,
    opener,
    pair_outcome,
    pair_states,
    stored_study,
    write_study,
)

from facematch_comparison.run import RunDatabase, StoredSystem, run_study
from facematch_comparison.run.pairs import PairState
from facematch_core import ConfigurationError, Decision, Environment, InvalidRequest


def system(**settings):
    return StoredSystem(name="fake", settings=SYSTEM_SETTINGS | settings)


def test_a_study_must_be_named_where_there_are_several_and_names_are_not_shared(database):
    with pytest.raises(InvalidRequest, match="there are: none"):
        database.study()
    database.enter_study(stored_study())
    with pytest.raises(InvalidRequest, match="another test set named 'people'"):
        database.enter_study(stored_study(digest="1" * 64))
    others = stored_study(digest="1" * 64, name="others")
    database.enter_study(attrs.evolve(others, made_at=later(days=1)))
    for name in ((), ("nobody",)):
        with pytest.raises(InvalidRequest, match="there are: people, others"):
            database.study(*name)


@pytest.mark.parametrize(
    ("key", "value"),
    [("threshold", 60.0), ("backend", "other"), ("rule", "above"), ("environment", "mock")],
)
def test_settings_that_change_answers_may_not_change(database, key, value):
    study = database.enter_study(stored_study())
    database.enter_system(study, system())
    with pytest.raises(InvalidRequest, match=f"{value}"):
        database.enter_system(study, system(**{key: value}))


def test_the_first_answer_says_where_answers_come_from(database):
    stored = enter_system(database, 4)
    first = pair_outcome(PairState.ANSWERED, None)
    faces = {"environment": Environment.MOCK, "score": None}
    ends = [
        attrs.evolve(first, decision=Decision.INCONCLUSIVE, **faces),
        attrs.evolve(first, environment=Environment.MOCK, scale="fake/v1"),
        attrs.evolve(first, scale="fake/v1"),
        attrs.evolve(first, environment=Environment.MOCK, scale="fake/v2"),
    ]
    differing = [database.end(stored.number, [(pair, end)])[1] for pair, end in enumerate(ends)]
    assert [what is None for what in differing] == [True, True, False, False]
    assert pair_states(database, stored) == ["answered", "answered", "no response", "no response"]
    assert database.progress(stored.number).charged == 4


@pytest.mark.parametrize(
    "where", ["postgresql+psycopg://me:canary@db/faces", "study.sqlite3", "sqlite://"]
)
def test_a_run_database_is_a_file_and_no_server_is_asked(where):
    with pytest.raises(ConfigurationError, match="must be a local SQLite file") as caught:
        RunDatabase(where)
    assert "canary" not in str(caught.value)


def test_nothing_personal_is_stored(tmp_path, address):
    study = write_study(tmp_path / "Photographs-of-Anna", groups={"sex": {"Anna 0": "f"}})
    database = RunDatabase(address)
    run_study(study, {"fake": opener()}, database)
    (stored,) = database.studies()
    assert stored.content["groups"]["sex"]["labels"] == ["f"]
    database.close()
    stored_bytes = b"".join(path.read_bytes() for path in tmp_path.glob("study.sqlite3*"))
    assert b"answered" in stored_bytes
    for canary in (b"Anna", b"Bertha", b"Photographs", b".jpg", study.pairs[0].probe.read_bytes()):
        assert canary not in stored_bytes
    # Nor a piece of a picture: the same 16 bytes nowhere.
    data = study.pairs[0].probe.read_bytes()
    assert not any(data[at : at + 16] in stored_bytes for at in range(0, len(data) - 16, 16))
