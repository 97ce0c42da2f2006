"""Large tables of checks and of sessions, made from one row by SQL, and the steps of a store."""

import datetime as dt

import sqlalchemy
from core.checks.desk import DOCUMENT, LOGIN, SELFIE

#: A text that differs by row.
TEXT = "'{}' || i"
#: Sessions of a shop: three of four were used and are read daily, the others are over.
SESSIONS = {
    "number": "-i",
    "id": TEXT.format("row "),
    "subject_key": TEXT.format("subject "),
    "case_key": TEXT.format("case "),
    "open_case_key": "NULL",
    "session_id": TEXT.format("session "),
    "link": "NULL",
    "state": "'decided'",
    "planned_at": "planned_at - i",
    "look_at": "CASE i % 4 WHEN 0 THEN NULL ELSE planned_at + 86400 + i END",
    "used_at": "CASE i % 4 WHEN 0 THEN NULL ELSE planned_at END",
}
#: Checks of a shop, which were used; the outcome of every tenth is unknown and was given up.
CHECKS = {
    "id": TEXT.format("row "),
    "subject_key": TEXT.format("subject "),
    "case_key": TEXT.format("case "),
    "open_case_key": "NULL",
    "call": "CASE i % 10 WHEN 0 THEN '{}' ELSE NULL END",
    "begun_at": "begun_at - i",
    "lease_until": "begun_at - i",
    "used_at": "begun_at",
}
#: Logins of one customer, a day apart.
LOGINS = CHECKS | {
    "id": TEXT.format("login "),
    "subject_key": "subject_key",
    "case_key": "case_key",
    "place": "place + i",
    "turn": "turn + i",
    "begun_at": "begun_at - 86400.0 * (i + 1)",
}


def fill(engine, table, values, count):
    """Insert `count` rows that are like the only row of a table but for `values`, in SQL."""
    names = [column["name"] for column in sqlalchemy.inspect(engine).get_columns(table)]
    columns = ", ".join(f'"{name}"' for name in names)
    selected = ", ".join(values.get(name, f'"{name}"') for name in names)
    statement = (
        f"INSERT INTO {table} ({columns}) "
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        f"SELECT {selected} FROM n, (SELECT * FROM {table} LIMIT 1) AS one"
    )
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement))


def operations_on_sessions(shop):
    """All operations on sessions that touch a table, by name, in their order."""
    store = shop.store
    long_ago = shop.clock.now() - dt.timedelta(days=1000)
    return {
        "look": store.look,
        "begin": shop.begin,
        "begin again": shop.begin,
        "find": shop.find,
        "set_due": lambda: store.set_due("customer-17"),
        "look at one": store.look,
        "webhook": lambda: shop.hear(session_id="s-2"),
        "webhook of another": lambda: shop.hear(record_id="unknown", session_id="unknown"),
        "why_not": lambda: shop.of().why_not(max_age_s=3600),
        "use": shop.use,
        "cancel": lambda: store.cancel("customer-17"),
        "erase": lambda: store.erase("customer-17"),
        "forget": lambda: store.forget(1000),
        "close_begun_before": lambda: store.close_begun_before(long_ago),
    }


def operations_on_checks(desk):
    """All operations on checks that touch a table, by name, in their order."""
    store, case, login = desk.store, desk.of(), desk.of(case=LOGIN)
    long_ago = desk.clock.now() - dt.timedelta(days=3000)
    return {
        "verify_live": desk.verify_live,
        "verify_live again": desk.verify_live,
        "find": case.find,
        "why_not": case.why_not,
        "use": case.use,
        "find of a case": login.find,
        "use of a case": login.use,
        "unknown": store.unknown,
        "reconcile": store.reconcile,
        "reconcile a case": case.reconcile,
        "give_up": case.give_up,
        "erase": lambda: store.erase("customer-18"),
        "forget": lambda: store.forget(3000),
        "close_begun_before": lambda: store.close_begun_before(long_ago),
    }


def add_sessions(shop, engine, count):
    shop.begin("customer-18")
    shop.vendor.finish()
    shop.use("customer-18")
    fill(engine, "facematch_sessions", SESSIONS, count)


def add_checks(desk, engine, count):
    desk.of("customer-17", case=LOGIN).verify_live(SELFIE, DOCUMENT)
    fill(engine, "facematch_checks", LOGINS, count // 10)
    fill(engine, "facematch_checks", CHECKS, count)
