"""Yours: a database, who is logged in, whose photograph you have, and who is to be paid."""

import os
import sqlite3
from contextlib import closing, contextmanager
from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, Form, HTTPException, Request

TABLES = (
    "CREATE TABLE IF NOT EXISTS logins (token TEXT PRIMARY KEY, customer TEXT, csrf TEXT)",
    "CREATE TABLE IF NOT EXISTS customers (customer TEXT PRIMARY KEY, picture BLOB)",
    "CREATE TABLE IF NOT EXISTS payouts (about TEXT PRIMARY KEY, customer TEXT, paid_at REAL)",
)


@contextmanager
def transaction():
    """One in which nobody else writes: of two clicks at once the second waits."""
    path = os.environ["PAYOUTS"]
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        database.execute("BEGIN IMMEDIATE")
        with database:
            yield database


def run(sql, *values):
    with transaction() as database:
        return database.execute(sql, values).fetchall()


def login_of(request: Request):
    """Who is logged in: by a cookie that no script reads, never by a form or an address."""
    logins = run("SELECT * FROM logins WHERE token = ?", request.cookies.get("login"))
    if not logins:
        raise HTTPException(401)
    return logins[0]


def poster_of(login: Annotated[sqlite3.Row, Depends(login_of)], csrf: Annotated[str, Form()]):
    """Who sent a form of ours, and not of another site."""
    if not compare_digest(csrf.encode(), login["csrf"].encode()):
        raise HTTPException(403)
    return login["customer"]


Login, Poster = Annotated[sqlite3.Row, Depends(login_of)], Annotated[str, Depends(poster_of)]
Text = Annotated[str, Form()]
