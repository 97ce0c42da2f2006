"""Replace with your own code: database, logins, customers' photographs, and payouts."""

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
    """Open an exclusive write transaction: of two concurrent clicks, the second waits."""
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
    """Return the login of the HttpOnly cookie. Never take it from a form or a URL."""
    logins = run("SELECT * FROM logins WHERE token = ?", request.cookies.get("login"))
    if not logins:
        raise HTTPException(401)
    return logins[0]


def poster_of(login: Annotated[sqlite3.Row, Depends(login_of)], csrf: Annotated[str, Form()]):
    """Return the customer who sent a form, after checking its CSRF token."""
    if not compare_digest(csrf.encode(), login["csrf"].encode()):
        raise HTTPException(403)
    return login["customer"]


Login, Poster = Annotated[sqlite3.Row, Depends(login_of)], Annotated[str, Depends(poster_of)]
Text = Annotated[str, Form()]
