"""The shop's own rows: customers, uploads, payouts. Replace this file with your own code."""

import functools
import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from facematch_core import Erased, Person, ReviewDecision

MOST_STARTS, WITHIN_S = 5, 3600
MOST_UPLOADS, WITHIN_A_DAY_S = 5, 86_400
DECIDABLE_S = 30 * 86_400  # facematch lets nobody decide about an older verdict
REQUEST_S = 3600  # longer than any request takes

# A write locks the row, in SQLite and in PostgreSQL: the customer's other requests wait.
LOCK = "UPDATE customers SET name = name WHERE customer = :c"
KEEP_UPLOAD = """INSERT INTO uploads SELECT :u, customer, :now, :selfie, :document
    FROM customers WHERE customer = :c AND opened_at IS NULL AND :most > (
    SELECT count(*) FROM uploads WHERE customer = :c AND upload <> :u AND sent_at > :since)
    ON CONFLICT (upload) DO UPDATE SET sent_at = excluded.sent_at, selfie = excluded.selfie,
    document = excluded.document RETURNING upload"""
DROP_PICTURES = "UPDATE uploads SET selfie = NULL, document = NULL WHERE upload = :u"
DROP_OTHERS = """UPDATE uploads SET selfie = NULL, document = NULL
    WHERE customer = :c AND upload <> :u"""
LAST_UPLOAD = """SELECT upload FROM uploads WHERE customer = :c
    ORDER BY selfie IS NULL, sent_at DESC LIMIT 1"""
OPEN_ACCOUNT = """UPDATE customers SET opened_at = :now, picture = selfie FROM uploads
    WHERE customers.customer = :c AND uploads.customer = :c AND upload = :u
    AND selfie IS NOT NULL AND opened_at IS NULL RETURNING opened_at"""
PAYOUT = """SELECT paid_at, picture FROM payouts JOIN customers USING (customer)
    WHERE customer = :c AND about = :a"""
STARTS = "SELECT count(*) FROM consents WHERE customer = :c AND given_at > :since"
OPEN_CASES = """
    SELECT customer, 'signup' AS purpose, upload AS about, sent_at AS since
    FROM uploads WHERE sent_at > :since AND selfie IS NOT NULL
    UNION ALL SELECT customer, 'payout', about, min(given_at)
    FROM consents JOIN payouts USING (customer, about)
    WHERE paid_at IS NULL AND given_at > :since GROUP BY customer, about ORDER BY since"""
AUDIT = """INSERT INTO audit VALUES (:evidence, :record, :by, :accept, :reason, :at)
    ON CONFLICT DO NOTHING"""
ERASURE = """INSERT INTO erasures VALUES (:c, :now, NULL)
    ON CONFLICT (customer) DO UPDATE SET asked_at = excluded.asked_at, done_at = NULL"""
ERASED = "UPDATE erasures SET done_at = :now WHERE customer = :c AND asked_at < :since"
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


def keep_upload(customer: str, selfie: bytes, document: bytes) -> str | None:
    """Store two pictures in place of earlier ones; return their id, which the same ones have again.

    None if the customer has sent too many today, readable or not, has an account, or has left.
    """
    digests = [hashlib.sha256(each).hexdigest() for each in (selfie, document)]
    upload = hashlib.sha256(json.dumps([customer, *digests]).encode()).hexdigest()
    values = {"c": customer, "u": upload, "selfie": selfie, "document": document}
    since = time.time() - WITHIN_A_DAY_S
    with transaction() as database:
        execute(database, LOCK, c=customer)
        kept = execute(database, KEEP_UPLOAD, most=MOST_UPLOADS, since=since, **values)
        if not kept:
            return None
        execute(database, DROP_OTHERS, c=customer, u=upload)
    return upload


def upload_of(customer: str) -> str:
    """Return the id of the pictures that the customer sent last, or "none"."""
    return next((str(row.upload) for row in run(LAST_UPLOAD, c=customer)), "none")


def open_account(database: sa.Connection, customer: str, upload: str) -> bool:
    """Open the account with an uploaded selfie; return False if it is not here any longer."""
    opened = execute(database, OPEN_ACCOUNT, c=customer, u=upload)
    execute(database, "DELETE FROM uploads WHERE customer = :c", c=customer)
    return bool(opened)


def forget_uploads() -> None:
    """Delete the pictures about which nobody can decide any longer."""
    run("DELETE FROM uploads WHERE sent_at < :since", since=time.time() - DECIDABLE_S)


# --- payouts ---


def payouts_of(customer: str) -> Sequence[Any]:
    return run("SELECT about, paid_at FROM payouts WHERE customer = :c ORDER BY about", c=customer)


def person_of(customer: str) -> Person:
    """Return the person to whom a document must belong."""
    (row,) = run("SELECT name FROM customers WHERE customer = :c", c=customer)
    return Person(name=row.name)


def allow_start(customer: str, about: str, words: str, *, is_new: bool) -> bytes | None:
    """Return the customer's picture, or None if nothing may be started.

    Store the consent to a new session, which is counted. A way back into an open one is not.
    """
    with transaction() as database:
        execute(database, LOCK, c=customer)
        payouts = execute(database, PAYOUT, c=customer, a=about)
        ((starts,),) = execute(database, STARTS, c=customer, since=time.time() - WITHIN_S)
        if not payouts or payouts[0].paid_at or (is_new and starts >= MOST_STARTS):
            return None
        if is_new:
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


def write_audit(database: sa.Connection, record: str, decision: ReviewDecision) -> None:
    """Write one row for a decision, also if its form arrives twice."""
    values = {name: getattr(decision, name) for name in ("evidence", "by", "accept", "reason")}
    execute(database, AUDIT, record=record, at=decision.at.timestamp(), **values)


# --- a customer leaves ---


def close_account(customer: str) -> None:
    """Note the wish, and delete what the shop has of a customer, so that nothing new is begun."""
    with transaction() as database:
        for sql in (LOCK, ERASURE, *LEAVE):
            execute(database, sql, c=customer)


def erasures_left() -> Sequence[str]:
    return [row.customer for row in run("SELECT customer FROM erasures WHERE done_at IS NULL")]


def write_evidence(customer: str, erased: Sequence[Erased]) -> None:
    """Store what became of each record. An erasure is done once it finds nothing more.

    Before that, a request that was under way while the customer left may still store something.
    """
    with transaction() as database:
        for each in erased:
            text = json.dumps(each.to_dict())
            execute(database, "INSERT INTO evidence VALUES (:now, :e)", e=text)
        if not erased:
            execute(database, ERASED, c=customer, since=time.time() - REQUEST_S)
