"""What holds at the end of each life: the vendor's bill and the rows are the judge."""

import collections
import itertools
import json

from simulation.plan import CUSTOMERS, MATTERS
from simulation.world import WITHOUT_DOCUMENT

from facematch_core.store.table import hash_of

#: What Didit and Face++ charge for a check of uploaded pictures, and the call.
CALLS_OF_CHECK = {
    "PASSIVE_LIVENESS": "liveness",
    "FACE_MATCH": "match",
    "/facepp/v3/compare": "match",
}
#: These delete sessions, and find one by our record: a lost start leaves none that nobody knows.
_CAN_DELETE = ("didit", "onfido", "persona", "stripe")


def is_right(card):
    """Return whether a card shows the live face of the person p1."""
    return card.startswith("p1")


def find_faults(life, connection):
    """Yield the broken laws of a life as sentences."""
    names = ("checks", "sessions", "budgets", "attempts")
    payouts, checks, sessions, budgets, attempts = (
        connection.exec_driver_sql(f"SELECT * FROM {table}").mappings().all()
        for table in ("payouts", *(f"facematch_{name}" for name in names))
    )
    yield from _find_payouts(life, payouts, checks, sessions)
    yield from _find_uses(life, checks)
    yield from _find_charges(life)
    yield from _find_sums(life, budgets, attempts)
    yield from _find_decisions(life, checks, sessions)
    yield from _find_sessions(life, sessions)
    yield from _find_traces(life, checks, sessions)


def _find_payouts(life, payouts, checks, sessions):
    """A matter is paid once, by the right person, and whatever was used is paid.

    An erased case may be used again, by a request that was under way.
    """
    counts = collections.Counter(tuple(row.values()) for row in payouts)
    for (kind, customer, matter, _), count in sorted(counts.items()):
        if count > 1:
            yield f"{customer} was paid matter {matter} {count} times by {kind}"
    paid = {case[:3] for case in counts}
    for kind, rows in (("upload", checks), ("session", sessions)):
        used = {row["case_key"] for row in rows if row["used_at"] is not None}
        for customer, matter in itertools.product(CUSTOMERS, MATTERS):
            case = (kind, customer, matter)
            is_used = hash_of(customer, "payout", matter) in used
            if is_used and case not in paid.union(life.unpaid):
                yield f"matter {matter} of {customer} was used by {kind}, and not paid"
    for row in sessions:
        card, name = life.films.get(row["session_id"], ("nobody", ""))
        is_for_a_person = name == "A. BYRON" and life.plan.vendor not in WITHOUT_DOCUMENT
        is_pass = card == "p1" and (row["decisions"] is not None or not is_for_a_person)
        if row["used_at"] is not None and not is_pass:
            yield f"session {row['session_id']} was used, in which the vendor saw {card}, {name}"


def _find_uses(life, checks):
    """An upload is used if the vendor was shown the right person, or a person has accepted it."""
    for row in checks:
        if row["used_at"] is None:
            continue
        for probe, _ in (each for name, each in life.billed.items() if name in row["result"]):
            if not is_right(probe) and (probe != "score-30" or row["decisions"] is None):
                yield f"check {row['id']} was used, in which the vendor saw {probe}"


def _find_charges(life):
    """A wish costs each call once, and again only for whom gives up an unknown one.

    With two vendors, it costs each call once at either.
    """
    for (call, action, customer, matter, upload, _), count in life.charged.items():
        most = 1 + life.given_up[customer, matter]
        if action != "upload" or count > most:
            about = f"{customer}, matter {matter}, {upload}"
            yield f"{call} of {about}, was charged {count} times by {action}"


def _find_sums(life, budgets, attempts):
    """No vendor charges more than the limit, and the budget knows each charge, or that it may be.

    Whoever died has nothing reserved any longer.
    """
    bills = collections.Counter(what for what, _ in life.bills)
    second = bills["/facepp/v3/compare"]
    if max(bills.total() - second, second) > life.plan.limit:
        yield f"the limit of {life.plan.limit} calls is exceeded: {dict(bills)}"
    spent, reserved, unknown = (
        sum(row[name] for row in budgets) for name in ("spent", "reserved", "unknown")
    )
    if reserved:
        yield f"{reserved} calls are still reserved"
    if not spent <= bills.total() <= spent + unknown:
        yield f"{spent} calls are spent and {unknown} unknown, but charged are {dict(bills)}"
    kept = {upload.vendor_data for upload in _uploads_at_vendor(life)}
    lost = [row for row in attempts if row["state"] != "settled" and row["attempt_id"] in kept]
    if lost:
        yield f"the vendor keeps {len(lost)} uploads, of which the budget does not know the charge"


def _find_decisions(life, checks, sessions):
    """Of the decisions by one page one stands, is in its row, and the last one of a use is yes."""
    by_page = collections.defaultdict(set)
    for _, decision in life.decided:
        by_page[decision.evidence].add((decision.accept, decision.by))
    for standing in by_page.values():
        if len(standing) > 1:
            yield f"by one page {sorted(standing)} stand"
    stored = []
    for row in (*checks, *sessions):
        decisions = json.loads(row["decisions"] or "[]")
        stored += [decision["evidence"] for decision in decisions]
        if row["used_at"] is not None and decisions and not decisions[-1]["accept"]:
            yield f"{row['id']} was used although a person refused it"
    for customer, decision in life.decided:
        if decision.evidence not in stored and customer not in life.erased:
            yield f"a decision about {customer} is lost"


def _find_sessions(life, sessions):
    """A case has one open session, at the vendor, too."""
    cases = {row["session_id"]: row["case_key"] for row in sessions}
    counts = collections.Counter(cases[each] for each in _open_at_vendor(life) if cases.get(each))
    if max(counts.values(), default=0) > 1:
        yield "a case has two sessions that are open at the vendor"


def _find_traces(life, checks, sessions):
    """Nothing is left of whom was erased, and nothing at the vendor that no row knows."""
    erased = {hash_of(customer) for customer in life.erased}
    left = [row["id"] for row in (*checks, *sessions) if row["subject_key"] in erased]
    if left:
        yield f"{len(left)} rows of erased customers are left"
    strangers = _open_at_vendor(life) - {row["session_id"] for row in sessions}
    if life.plan.vendor in _CAN_DELETE and strangers:
        yield f"no row knows {len(strangers)} sessions that are open at the vendor"
    answers = " ".join(f"{row['liveness']} {row['result']} {row['call']}" for row in checks)
    strangers = [each for each in _uploads_at_vendor(life) if each.id not in answers]
    # A lost answer brought no id: a search finds it.
    if len(strangers) > sum(row["call"] is not None for row in checks):
        yield f"no row knows {len(strangers)} uploads that the vendor keeps"


def _uploads_at_vendor(life):
    return [each for each in life.world.uploads.sessions.all() if each.hosted is None]


def _open_at_vendor(life):
    return {each.id for each in life.world.sessions.sessions.open()}
