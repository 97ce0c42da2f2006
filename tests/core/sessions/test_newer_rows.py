"""Rows of a store of sessions that a later release of facematch has written."""

import json

import attrs
import pytest
import sqlalchemy
from core.sessions.shop import *  # noqa: F403 - its fixtures
from core.sessions.shop import PAYOUT, STATE
from core.sessions.vendor import ManySessions

import facematch_core as fm

LATER = "a word of a later release"
WARNING = {"code": "other", "severity": "information", "tag": None, "text": None, "advice": None}
THRESHOLD = {"value": 80.0, "rule": "above", "source": "caller"}
SCORE = {"value": 90.0, "scale": "acme", "raw": None, "raw_name": None, "source": "documented"}


@attrs.frozen(kw_only=True)
class Newer:
    """What a later release has written into the row of a session that has passed.

    Attributes:
        record, result: The changes to each document.
        is_yes: Whether the stored verdict still counts.
    """

    record: dict = attrs.field(factory=dict)
    result: dict = attrs.field(factory=dict)
    is_yes: bool = False


def in_check(name, **changes):
    """Return a change to the check `match` or `liveness` of a result."""
    return {"result": {name: changes}}


def with_warning(**changes):
    return in_check("match", warnings=[WARNING | changes])


NEWER_ROWS = {
    "a record's key": Newer(record={"later": 1}, is_yes=True),
    "a result's key": Newer(result={"later": 1}, is_yes=True),
    "a warning's code": Newer(**with_warning(code=LATER), is_yes=True),
    "a warning's advice": Newer(**with_warning(advice=LATER), is_yes=True),
    "a session's warning": Newer(result={"warnings": [WARNING | {"code": LATER}]}, is_yes=True),
    "a charge": Newer(**in_check("match", billing={"charged": LATER}), is_yes=True),
    "a scale's source": Newer(**in_check("match", score=SCORE | {"source": LATER}), is_yes=True),
    "a threshold's source": Newer(
        **in_check("match", threshold=THRESHOLD | {"source": LATER}), is_yes=True
    ),
    "a warning's severity": Newer(**with_warning(severity=LATER)),
    "a threshold's rule": Newer(**in_check("match", threshold=THRESHOLD | {"rule": LATER})),
    "a match": Newer(**in_check("match", decision=LATER)),
    "liveness": Newer(**in_check("liveness", decision=LATER)),
    "a state": Newer(result={"state": LATER}),
    "a result's environment": Newer(result={"environment": LATER}),
    "both environments": Newer(result={"environment": LATER, "required_environment": LATER}),
    "a check's environment": Newer(**in_check("match", environment=LATER)),
    "a result's picture": Newer(result={"compared_with": LATER}),
    "a name": Newer(result={"name_agreement": LATER}),
    "a date of birth": Newer(result={"date_of_birth_agreement": LATER}),
    "a record's environment": Newer(record={"environment": LATER}),
    "a record's picture": Newer(record={"compared_with": LATER}),
}
UNREADABLE_RECORDS = {
    "a check": {"expects": ["age", "liveness", "match"]},
    "a schema": {"schema": 2},
    "a picture that is no text": {"compared_with": 5},
}
UNREADABLE_RESULTS = {"a schema": {"schema": 2}, "a kind": {"kind": LATER}, "damage": {"match": 1}}


def change(document, changes):
    """Change a document, and the documents in it, in place."""
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            change(document[name], value)
        else:
            document[name] = value


def change_row(shop, record=None, result=None):
    """Change the only row, as a later release would write it."""
    (row,) = shop.rows()
    document = json.loads(row["record"])
    change(document, record or {})
    values = {"record": json.dumps(document), "result": row["result"]}
    if row["result"] is not None:
        copy = json.loads(row["result"])
        change(copy, {"record": record or {}})
        change(copy, result or {})
        values["result"] = json.dumps(copy)
    execute(shop, "UPDATE facematch_sessions SET record = :record, result = :result", **values)


def execute(shop, statement, **values):
    engine = sqlalchemy.create_engine(shop.address)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement), values)
    engine.dispose()


def open_with_verdict(open_shop):
    shop = open_shop(result_lasts_s=180.0)
    shop.begin_and_finish()
    assert shop.states_seen() == [STATE.DECIDED]
    return shop


def lose_result_at_vendor(shop):
    """Let the vendor delete its result, so that the stored one decides."""
    shop.vendor.sessions.clear()
    shop.clock.advance(300)


@pytest.mark.parametrize("newer", NEWER_ROWS.values(), ids=list(NEWER_ROWS))
def test_unknown_word_is_readable_and_never_a_yes(open_shop, newer):
    shop = open_with_verdict(open_shop)
    change_row(shop, newer.record, newer.result)
    assert shop.find().record.subject_ref == "customer-17"
    lose_result_at_vendor(shop)
    reasons = shop.of().why_not(max_age_s=3600)
    assert bool(shop.use()) is (not reasons) is newer.is_yes


@pytest.mark.parametrize("newer", NEWER_ROWS.values(), ids=list(NEWER_ROWS))
def test_reading_keeps_what_a_later_release_wrote_in_the_record(open_shop, newer):
    shop = open_with_verdict(open_shop)
    change_row(shop, newer.record, newer.result)
    is_known = not newer.record.keys() - {"later"}
    is_used = bool(shop.use())
    assert is_used is is_known, "the vendor's own verdict counts, unless the plan is unknown"
    shop.store.look()
    (row,) = shop.rows()
    record = json.loads(row["record"])
    assert {name: record[name] for name in newer.record} == newer.record


@pytest.mark.parametrize("newer", NEWER_ROWS.values(), ids=list(NEWER_ROWS))
def test_row_with_an_unknown_word_is_forgotten_at_the_vendor_too(open_shop, newer):
    shop = open_with_verdict(open_shop)
    change_row(shop, newer.record, newer.result)
    assert [each.is_done_here for each in shop.store.forget(0)] == [True]
    assert (shop.vendor.deleted, shop.rows()) == (["s-1"], [])


def test_plan_of_a_later_release_is_left_to_that_release(open_shop, caplog):
    shop = open_shop()
    shop.begin_and_finish()
    change_row(shop, {"compared_with": LATER})
    assert shop.store.look() == ()
    assert "later version" in caplog.text
    assert not shop.use()
    assert shop.vendor.reads == [], "its terms differ here, which would look like a forged record"


def test_begin_replaces_an_open_session_that_a_later_release_planned(open_shop):
    shop = open_shop()
    shop.begin()
    change_row(shop, {"environment": LATER})
    second = shop.begin()
    assert (second.record.session_id, shop.vendor.deleted) == ("s-2", ["s-1"])


@pytest.mark.parametrize("changes", UNREADABLE_RECORDS.values(), ids=list(UNREADABLE_RECORDS))
def test_unreadable_record_is_refused_and_never_to_be_deleted(open_shop, changes):
    shop = open_with_verdict(open_shop)
    change_row(shop, changes)
    for ask in (shop.find, shop.use, lambda: shop.of().why_not(max_age_s=3600)):
        with pytest.raises(fm.ConfigurationError, match="newer facematch") as caught:
            ask()
        assert "delete" not in str(caught.value)
    assert [each.is_done_here for each in shop.store.forget(0)] == [False]
    assert len(shop.rows()) == 1


@pytest.mark.parametrize("changes", UNREADABLE_RESULTS.values(), ids=list(UNREADABLE_RESULTS))
def test_unreadable_result_counts_as_none(open_shop, changes):
    shop = open_with_verdict(open_shop)
    change_row(shop, result=changes)
    assert shop.find().result is None
    assert shop.of().why_not(max_age_s=3600) == ("the session was not read yet",)
    lose_result_at_vendor(shop)
    assert not shop.use(), "only the unreadable verdict could say yes"


def test_unreadable_result_is_replaced_by_the_next_reading(open_shop):
    shop = open_with_verdict(open_shop)
    change_row(shop, result={"schema": 2})
    assert shop.use()
    assert shop.find().result.match.is_match


def test_record_is_read_from_its_column_alone(open_shop):
    shop = open_with_verdict(open_shop)
    (row,) = shop.rows("result")
    result = json.loads(row["result"])
    assert result.pop("record"), "earlier releases read this copy"
    execute(shop, "UPDATE facematch_sessions SET result = :result", result=json.dumps(result))
    assert shop.of().why_not(max_age_s=3600) == ()
    change_row(shop, {"purpose": "login"})
    assert shop.find().result.record.purpose == "login"
    assert shop.of().why_not(max_age_s=3600) == ("it was started for another purpose",)


def test_field_of_a_later_release_enters_the_terms_only_with_another_value():
    @attrs.frozen(kw_only=True)
    class LaterRecord(fm.SessionRecord):
        needs_chip: bool = False
        countries: tuple[str, ...] = ()

    sessions = fm.Sessions(fm.FaceVerifier(ManySessions()))
    record = sessions.plan("customer-17", **PAYOUT)
    fields = {field.name: getattr(record, field.name) for field in attrs.fields(fm.SessionRecord)}
    assert LaterRecord(**fields).terms == record.terms
    for later in ({"needs_chip": True}, {"countries": ("SE",)}):
        assert LaterRecord(**fields, **later).terms != record.terms


def test_last_result_is_read_only_where_the_vendor_has_none_any_longer(open_shop, monkeypatch):
    reads = []
    row_type = open_shop().store._table.rows.SessionRow  # noqa: SLF001
    read_result = row_type.read_result
    monkeypatch.setattr(row_type, "read_result", lambda row: reads.append(row) or read_result(row))
    shop = open_with_verdict(open_shop)
    del reads[:]
    assert shop.use()
    assert reads == []
