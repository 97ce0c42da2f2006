"""The shop's own rows: customers, uploads, payouts. Replace this file with your own code."""

import functools
import json
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from facematch_core import Erased, Person

MOST_STARTS, WITHIN_S = 5, 3600
DECIDABLE_S = 30 * 86_400  # facematch lets nobody decide about an older verdict

# A write locks the row, in SQLite and in PostgreSQL: the customer's other requests wait.
LOCK = "UPDATE customers SET name = name WHERE customer = :c"
KEEP_UPLOAD = """INSERT INTO uploads SELECT :call, customer, :now, :selfie, :document
    FROM customers WHERE customer = :c AND opened_at IS NULL ON CONFLICT DO NOTHING"""
OPEN_ACCOUNT = """UPDATE customers SET opened_at = :now,
    picture = (SELECT selfie FROM uploads WHERE call = :call AND customer = :c)
    WHERE customer = :c AND opened_at IS NULL"""
PAYOUT = """SELECT paid_at, picture FROM payouts JOIN customers USING (customer)
    WHERE customer = :c AND about = :a"""
STARTS = "SELECT count(*) FROM consents WHERE customer = :c AND given_at > :since"
OPEN_CASES = """
    SELECT customer, 'signup' AS purpose, 'account' AS about, min(sent_at) AS since
    FROM uploads WHERE sent_at > :since GROUP BY customer
    UNION ALL SELECT customer, 'payout', about, min(given_at)
    FROM consents JOIN payouts USING (customer, about)
    WHERE paid_at IS NULL AND given_at > :since GROUP BY customer, about ORDER BY since"""
ERASURE = "INSERT INTO erasures VALUES (:c, :now, NULL) ON CONFLICT DO NOTHING"
LEAVE = (
    "DELETE FROM logins WHERE who = :c AND NOT is_staff",
    "DELETE FROM uploads WHERE customer = :c",
    "DELETE FROM customers WHERE customer = :c",
)


@functools.cache
def engine_of(url: str) -> sa.Engine:
    return sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)


def transaction() -> AbstractContextManager[sa.Connection]:
    """Begin a transaction: it is committed at the end of the block, or rolled back by an error."""
    return engine_of(os.environ["DATABASE_URL"]).begin()


def execute(database: sa.Connection, sql: str, **values: Any) -> Sequence[Any]:
    result = database.execute(sa.text(sql), {"now": time.time(), **values})
    return result.all() if result.returns_rows else ()


def run(sql: str, **values: Any) -> Sequence[Any]:
    with transaction() as database:
        return execute(database, sql, **values)


# --- accounts ---


def is_open(customer: str) -> bool:
    rows = run("SELECT opened_at FROM customers WHERE customer = :c", c=customer)
    return bool(rows) and rows[0].opened_at is not None


def keep_upload(customer: str, call: str, selfie: bytes, document: bytes) -> None:
    """Store the pictures of a verdict, unless it has them, or the customer has left meanwhile."""
    run(KEEP_UPLOAD, c=customer, call=call, selfie=selfie, document=document)


def open_account(database: sa.Connection, customer: str, call: str) -> None:
    """Open the account with the selfie of a verdict, and delete the uploads. Repeating is safe."""
    execute(database, OPEN_ACCOUNT, c=customer, call=call)
    execute(database, "DELETE FROM uploads WHERE customer = :c", c=customer)


# --- payouts ---


def payouts_of(customer: str) -> Sequence[Any]:
    return run("SELECT about, paid_at FROM payouts WHERE customer = :c ORDER BY about", c=customer)


def person_of(customer: str) -> Person:
    """Return the person to whom a document must belong."""
    (row,) = run("SELECT name FROM customers WHERE customer = :c", c=customer)
    return Person(name=row.name)


def allow_start(customer: str, about: str, words: str) -> bytes | None:
    """Store the consent; return the customer's picture, or None if nothing may be started."""
    with transaction() as database:
        execute(database, LOCK, c=customer)
        payouts = execute(database, PAYOUT, c=customer, a=about)
        ((starts,),) = execute(database, STARTS, c=customer, since=time.time() - WITHIN_S)
        if not payouts or payouts[0].paid_at or starts >= MOST_STARTS:
            return None
        consent = "INSERT INTO consents VALUES (:c, :a, :words, :now)"
        execute(database, consent, c=customer, a=about, words=words)
    picture: bytes | None = payouts[0].picture
    return picture


def pay(database: sa.Connection, about: str) -> None:
    execute(database, "UPDATE payouts SET paid_at = :now WHERE about = :a", a=about)


# --- the desk ---


def open_cases() -> Sequence[Any]:
    """Return customer, purpose and matter of all that a person may have to decide, oldest first."""
    return run(OPEN_CASES, since=time.time() - DECIDABLE_S)


def write_audit(database: sa.Connection, record: str, by: str, accept: bool, why: str) -> None:
    row = "INSERT INTO audit VALUES (:record, :by, :accept, :why, :now)"
    execute(database, row, record=record, by=by, accept=accept, why=why)


# --- a customer leaves ---


def close_account(customer: str) -> None:
    """Note the wish, and delete what the shop has of a customer, so that nothing new is begun."""
    with transaction() as database:
        for sql in (LOCK, ERASURE, *LEAVE):
            execute(database, sql, c=customer)


def erasures_left() -> Sequence[str]:
    return [row.customer for row in run("SELECT customer FROM erasures WHERE done_at IS NULL")]


def write_evidence(customer: str, erased: Sequence[Erased]) -> None:
    """Store what became of each record; an erasure that found nothing more is done."""
    with transaction() as database:
        for each in erased:
            text = json.dumps(each.to_dict())
            execute(database, "INSERT INTO evidence VALUES (:now, :e)", e=text)
        if not erased:
            execute(database, "UPDATE erasures SET done_at = :now WHERE customer = :c", c=customer)
