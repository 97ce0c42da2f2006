"""A journal: entered once, quick with many pairs, and nothing personal in it."""

import threading
import time
from decimal import Decimal

import attrs
import pytest
from core.comparison.running.studies import (
    SETTINGS,
    entered,
    later,
    opener,
    states,
    stored_study,
    write_study,
)

from facematch_core import Charged, ConfigurationError, Decision, Environment, InvalidRequest
from facematch_core.comparison.running import Journal, StoredContender, run_study
from facematch_core.comparison.running._records import Outcome, PairState
from facematch_core.store import SqlStore


def contender(name="fake", **changes):
    """A contender that nobody has entered."""
    facts = {"number": 0, "study": "", "settings": SETTINGS, "scale": None, "answered_from": None}
    return StoredContender(**facts | {"name": name, "price": None, "currency": None} | changes)


def test_a_study_keeps_its_first_name(journal):
    """Entered again, by whatever name, it is the same study: nothing is paid anew."""
    study = journal.enter_study(stored_study())
    again = journal.enter_study(attrs.evolve(study, name="another", made_at=later(days=1)))
    assert again == study
    assert journal.studies() == (study,)
    assert journal.study() == journal.study("people") == journal.study(study.digest) == study


def test_another_study_of_the_name_is_refused(journal):
    """Answers of two studies must not be mixed."""
    journal.enter_study(stored_study())
    with pytest.raises(InvalidRequest, match="another study called 'people'"):
        journal.enter_study(stored_study(digest="1" * 64))
    assert len(journal.studies()) == 1


def test_a_study_must_be_named_where_there_are_several(journal):
    """The sentence lists them."""
    with pytest.raises(InvalidRequest, match="no such study; there are: none"):
        journal.study()
    journal.enter_study(stored_study())
    others = stored_study(digest="1" * 64, name="others")
    journal.enter_study(attrs.evolve(others, made_at=later(days=1)))
    with pytest.raises(InvalidRequest, match=r"there are: people, others. Name one \(--study\)\."):
        journal.study()
    with pytest.raises(InvalidRequest, match="no such study; there are: people, others"):
        journal.study("nobody")


def test_a_contender_is_entered_once_with_all_its_pairs(journal):
    """The second time nothing is added, and what was done stays done."""
    study = journal.enter_study(stored_study(4))
    first = journal.enter_contender(study, contender())
    journal.claim(first.number)
    assert journal.enter_contender(study, contender()) == first
    assert states(journal, first) == ["claimed", "free", "free", "free"]
    assert journal.contenders(study.digest) == (first,)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("threshold", 60.0, "asked with the threshold 50.0 in this study, and is now set to 60.0"),
        ("backend", "other", "backend fake in this study, and is now set to other"),
        ("rule", "above", "threshold rule at_least"),
        ("environment", "mock", "environment production"),
        ("review_threshold", 70.0, "review threshold None"),
    ],
)
def test_settings_that_change_answers_may_not_change(journal, key, value, words):
    """One study has answers of one kind."""
    study = journal.enter_study(stored_study())
    journal.enter_contender(study, contender())
    with pytest.raises(InvalidRequest, match=words):
        journal.enter_contender(study, contender(settings=SETTINGS | {key: value}))


def test_prices_and_what_is_kept_may_change(journal):
    """The last price counts; what was kept once stays kept."""
    study = journal.enter_study(stored_study())
    journal.enter_contender(study, contender(settings=SETTINGS | {"kept": True}))
    again = journal.enter_contender(study, contender(price=Decimal("0.05"), currency="USD"))
    assert (again.price, again.currency, again.settings["kept"]) == (Decimal("0.05"), "USD", True)
    journal.enter_contender(study, contender())
    assert journal.contenders(study.digest) == (again,)


def test_the_first_answer_says_where_answers_come_from(journal):
    """Whichever process had it; what it did not tell is told by a later one."""
    one = entered(journal)
    assert journal.fix_origin(one.number, None, Environment.MOCK) == (None, Environment.MOCK)
    told = journal.fix_origin(one.number, "fake/v1", Environment.PRODUCTION)
    assert told == ("fake/v1", Environment.MOCK)


def test_it_lies_beside_a_store_of_attempts(address):
    """Either finds the tables of the other, whichever came first, and leaves them alone."""
    store = SqlStore(address)
    journal = Journal(address)
    entered(journal)
    beside = journal.attempts()
    assert beside is not None
    again = SqlStore(address)
    assert again.budgets() == ()
    for one in (store, journal, beside, again):
        one.close()
    other = address.replace("study", "other")
    journal = Journal(other)
    assert journal.attempts() is None
    store = SqlStore(other)
    assert store.open_reservations() == ()
    store.close()
    journal.close()


def test_another_version_is_left_alone(journal, address):
    """One sentence, and nothing is changed."""
    with journal._database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE facematch_comparison_store SET version = 3")
    with pytest.raises(ConfigurationError, match="comparisons of this store are of version 3"):
        Journal(address)


def test_several_processes_enter_one_study_at_once(address):
    """The tables, the study and the pairs are made once."""
    failures = []

    def enter():
        try:
            journal = Journal(address)
            entered(journal, 50)
            journal.close()
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    journal = Journal(address)
    (study,) = journal.studies()
    (one,) = journal.contenders(study.digest)
    assert states(journal, one) == ["free"] * 50
    journal.close()


def test_claiming_100_000_pairs_looks_at_each_once(journal):
    """A free pair is found by an index, from where the last one was."""
    count = 100_000
    started = time.perf_counter()
    contender = entered(journal, count)
    seen = first = 0
    while claims := journal.claim(contender.number, 1000, first=first):
        seen, first = seen + len(claims), claims[-1].pair + 1
    assert (seen, journal.claim(contender.number)) == (count, [])
    # Some seconds; if each claim looked at all rows, hours.
    assert time.perf_counter() - started < 60
    query = (
        "EXPLAIN QUERY PLAN SELECT pair FROM facematch_comparisons "
        "WHERE contender = 1 AND state = 'free' AND pair >= 5 ORDER BY pair LIMIT 1"
    )
    rows = journal._database.run(lambda file: file.exec_driver_sql(query).all())
    ((*_, how),) = rows
    assert how == (
        "SEARCH facematch_comparisons USING COVERING INDEX facematch_comparisons_state "
        "(contender=? AND state=? AND pair>?)"
    )


def test_a_standing_counts(journal):
    """By state and charge; what was answered without two faces is told apart."""
    contender = entered(journal, 5)
    claims = journal.claim(contender.number, 4)
    billed = [Charged.YES, Charged.YES, Charged.UNKNOWN, Charged.NO]
    ends = [
        (PairState.ANSWERED, Decision.MATCH),
        (PairState.ANSWERED, Decision.INCONCLUSIVE),
        (PairState.UNKNOWN, None),
        (PairState.ANSWERED, None),
    ]
    journal.end(
        [
            (claim, Outcome(state=state, decision=decision, billed=charge))
            for claim, (state, decision), charge in zip(claims, ends, billed, strict=True)
        ]
    )
    standing = journal.standing(contender.number)
    assert standing.states == {
        PairState.ANSWERED: 3,
        PairState.UNKNOWN: 1,
        PairState.FREE: 1,
    }
    assert (standing.not_acquired, standing.charged, standing.maybe_charged) == (2, 2, 1)
    assert (standing.pairs, standing.left) == (5, 1)


def test_what_failed_is_free_again_with_the_next_start(journal, clock):
    """And not what failed after it."""
    contender = entered(journal, 2)
    start = clock.now()
    failed = Outcome(state=PairState.FAILED, billed=Charged.NO, error="RateLimited")
    journal.end([(claim, failed) for claim in journal.claim(contender.number)])
    clock.advance(10)
    journal.end([(claim, failed) for claim in journal.claim(contender.number)])
    assert states(journal, contender) == ["failed", "failed"]
    assert journal.release_failed(contender.number, start) == 1
    assert states(journal, contender) == ["free", "failed"]


def test_nothing_personal_is_stored(tmp_path, address):
    """No byte of a picture, no name of a file or of a person, no key; digests and answers only."""
    study = write_study(tmp_path / "Photographs-of-Anna", groups={"sex": {"Anna 0": "f"}})
    journal = Journal(address)
    run_study(study, {"fake": opener()}, journal)
    (stored,) = journal.studies()
    assert stored.content["groups"]["sex"]["labels"] == ["f"]
    journal.close()
    found = b"".join(path.read_bytes() for path in tmp_path.glob("study.sqlite3*"))
    assert b"answered" in found
    for canary in (b"Anna", b"Bertha", b"Photographs", b".jpg", study.pairs[0].probe.read_bytes()):
        assert canary not in found
    # Nor a piece of a picture: the same 16 bytes nowhere.
    data = study.pairs[0].probe.read_bytes()
    assert not any(data[at : at + 16] in found for at in range(0, len(data) - 16, 16))
