"""`facematch tidy`: the daily work of the stores, and the erasure of one customer."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from facematch_core.errors import ConfigurationError, InvalidRequest, StoreUnavailable
from facematch_core.store import SqlStore

from .budget import expire_and_list_open_calls, resolve_found, shared_stores_of
from .options import Target, config_option, json_option
from .text import Exit, print_json, quantity, say

if TYPE_CHECKING:
    from facematch_core.backend.session_types import Erased
    from facematch_core.checks.store import CheckStore
    from facematch_core.config.settings import Profile
    from facematch_core.sessions.sessions import Sessions
    from facematch_core.verifier.verifier import Verifier


@click.command("tidy")
@click.option(
    "--profile",
    "names",
    multiple=True,
    metavar="NAME",
    help="Profile; repeat it if several share the stores. Default: the file's default profile.",
)
@click.option("--days", type=click.FloatRange(0), help="Forget what was begun so long ago or more.")
@click.option("--erase", metavar="CUSTOMER", help="Erase all of one customer instead.")
@click.option(
    "--vendor-is-gone",
    "gone",
    metavar="NAME",
    help="With --erase: the backend of a vendor that will not delete anything any longer.",
)
@click.option("--reason", metavar="TEXT", help="With --vendor-is-gone: why. Goes into the report.")
@click.option("--by", metavar="WHO", help="With --vendor-is-gone: who says so.")
@config_option
@json_option
def command(
    names: tuple[str, ...],
    days: float | None,
    erase: str | None,
    *,
    gone: str | None,
    reason: str | None,
    by: str | None,
    config: str | None,
    as_json: bool,
) -> int:
    """Do the daily work of the stores that a profile names, or erase one customer.

    Forgets old sessions and checks, at the vendor and here, and looks up calls with an unknown
    outcome, for budgets and for checks. Deletes the budgets' old attempts, whose sums stay, and
    makes indexes that a newer release needs. Free of charge. It reads no verdicts: that is
    `SessionStore.look`, in your application.

    \b
    facematch tidy --profile shop --days 90
    facematch tidy --profile shop --erase customer-17 --json
    facematch tidy --erase customer-17 --vendor-is-gone persona \\
        --reason "contract ended, deletion confirmed by letter" --by ada

    The exit code is 3 while something is left, or a face may stay at a vendor. Run it again.
    """
    from facematch_core.config.opening import missing_indexes

    if (days is None) is (erase is None):
        raise click.UsageError("Pass either --days, or --erase.")
    statement = {"backend": gone, "reason": reason, "by": by}
    if any(statement.values()) and not (erase and all(statement.values())):
        raise click.UsageError("Pass --vendor-is-gone, --reason and --by together, with --erase.")
    with contextlib.ExitStack() as stack:
        verifiers, stores, addresses = _open(names, config, stack)
        unknown: list[str] = []
        missing: list[str] = []
        used_again: dict[str, int | None] = {}
        erased: list[Erased] = []
        if days is not None:
            unknown = _look_up(verifiers, stores.get("checks"))
            _forget_attempts(verifiers, days)
            missing = missing_indexes(addresses, makes=True)
        if erase is not None:
            erased += _erase(list(stores.values()), erase, gone)
        else:
            for store in stores.values():
                erased += store.forget(days)
            # Last, because it reads whole tables.
            used_again = {name: _count_used_again(store) for name, store in stores.items()}
    left = [each for each in erased if not each.is_done_here or each.reason is not None]
    report = {
        "stores": _versions(verifiers, stores),
        "unknown": unknown,
        "missing_indexes": missing,
        "used_again": used_again,
        "left": len(left),
        "erased": [each.to_dict() for each in erased],
    }
    if gone is not None:
        report["vendor_is_gone"] = statement
    if as_json:
        print_json(report)
    else:
        _show(report, left)
    return Exit.LOOK if unknown or left or missing else Exit.OK


def _open(
    names: Iterable[str], config: str | None, stack: contextlib.ExitStack
) -> tuple[list[Verifier], dict[str, Any], dict[str, str]]:
    """Open the verifiers of profiles, and their stores by the keys of a profile.

    Return the addresses of the stores, too.
    """
    from facematch_core.checks.store import CheckStore
    from facematch_core.config.opening import store_addresses
    from facematch_core.sessions.store import SessionStore

    profiles: list[Profile] = []
    addresses: dict[str, str] = {}
    for name in names or (None,):
        target = Target(profile=name, config=config)
        chosen = target.profile_or_default()
        if target.loaded_config is None or chosen is None:
            raise ConfigurationError("No configuration file has a profile: name one by --profile.")
        profiles.append(target.loaded_config.profile(chosen))
        for key, address in store_addresses(profiles[-1]).items():
            if addresses.setdefault(key, address) != address:
                raise ConfigurationError(
                    f"The profiles name different databases as {key}: pass one profile at a time."
                )
    verifiers = [
        stack.enter_context(Target(profile=profile.name, config=config).open())
        for profile in profiles
    ]
    stores: dict[str, Any] = {}
    if "sessions" in addresses:
        by_name = _open_sessions_by_name(
            [profile for profile in profiles if "sessions" in store_addresses(profile)], config
        )
        first = next(iter(by_name))
        stores["sessions"] = stack.enter_context(
            SessionStore(addresses["sessions"], by_name, choose=lambda _: first)
        )
    if "checks" in addresses:
        by_profile = dict(zip((profile.name for profile in profiles), verifiers, strict=True))
        store = CheckStore(addresses["checks"], _verifier_of_all(by_profile))
        stores["checks"] = stack.enter_context(store)
    return verifiers, stores, addresses


def _open_sessions_by_name(
    profiles: Collection[Profile], config: str | None
) -> dict[str, Sessions]:
    """Open the sessions of profiles, by the names that a store may have given them.

    A store that was opened with a single `Sessions` names it like its backend. If two profiles have
    that backend, nobody knows whose session such a row is: it is left.
    """
    from facematch_core.config.opening import open_sessions

    by_name = {
        profile.name: open_sessions(profile=profile.name, config=config) for profile in profiles
    }
    backends = [profile.backend for profile in profiles]
    for profile in profiles:
        if backends.count(profile.backend) == 1:
            by_name.setdefault(profile.backend, by_name[profile.name])
    return by_name


def _verifier_of_all(by_profile: Mapping[str, Verifier]) -> Verifier:
    """Return a verifier that deletes and looks up at the vendors of all profiles."""
    from facematch_core.verifier.failover import Failover
    from facematch_core.verifier.verifier import FaceVerifier

    if len(by_profile) == 1:
        (verifier,) = by_profile.values()
        return verifier
    members: dict[str, FaceVerifier] = {}
    for profile, verifier in by_profile.items():
        if isinstance(verifier, Failover):
            members |= {f"{profile}.{name}": each for name, each in verifier.members.items()}
        elif isinstance(verifier, FaceVerifier):
            members[profile] = verifier
    return Failover(members)


def _look_up(verifiers: Iterable[Verifier], checks: CheckStore | None) -> list[str]:
    """Look up unknown outcomes, for budgets and for checks; return what is still unknown."""
    now = dt.datetime.now(dt.UTC)
    unknown = []
    for verifier in verifiers:
        calls = expire_and_list_open_calls(shared_stores_of(verifier), now)
        for answer in resolve_found(calls, verifier, now):
            if answer.code is not Exit.OK:
                unknown.append(f"call {answer.reservation.call.id}: {answer.reason}")
    if checks is not None:
        checks.reconcile()
        unknown += [f"check {check.id}" for check in checks.unknown()]
    return unknown


def _erase(stores: list[Any], customer: str, gone: str | None) -> list[Erased]:
    """Erase a customer from all stores; a vendor that is gone need be known to one of them only.

    Raises `InvalidRequest` if no store knows it; then nothing was deleted.
    """
    erased: list[Erased] = []
    refused: list[tuple[Any, InvalidRequest]] = []
    for store in stores:
        try:
            erased += store.erase(customer, vendor_is_gone=gone)
        except InvalidRequest as error:
            refused.append((store, error))
    # A store without records of the customer refuses no name.
    if refused and not erased:
        raise refused[0][1]
    for store, _ in refused:
        erased += store.erase(customer)
    return erased


def _count_used_again(store: Any) -> int | None:
    """Return the number of cases that were used more than once, as former releases allowed.

    Sessions without `about` may be, and are not counted. A check does not tell what it was about.
    None if the table is too large to be counted in the time that a store waits.
    """
    import sqlalchemy as sa

    table = store._table  # noqa: SLF001 - no method, because only an upgrade needs it
    key = table.columns.case_key
    used = [table.columns.used_at.is_not(None), key != ""]
    if "record" in table.columns:
        used.append(table.columns.record.not_like('%"about": null%'))
    keys = sa.select(key).where(*used).group_by(key).having(sa.func.count() > 1)
    try:
        return len(table.database.run(lambda each: each.execute(keys).all(), only_reads=True))
    except StoreUnavailable:
        return None


def _forget_attempts(verifiers: Iterable[Verifier], days: float) -> None:
    """Delete the old attempts of budgets, whose sums stay."""
    for verifier in verifiers:
        for store in shared_stores_of(verifier):
            if isinstance(store, SqlStore):
                store.forget(days)


def _versions(verifiers: Iterable[Verifier], stores: Mapping[str, Any]) -> dict[str, int]:
    """Return the schema version of each store."""
    from facematch_core.checks import rows as check_rows
    from facematch_core.sessions import rows as session_rows
    from facematch_core.store import transactions

    versions = {
        "sessions": session_rows.VERSION,
        "checks": check_rows.VERSION,
        "budgets": transactions.VERSION,
    }
    named = {*stores}
    if any(map(shared_stores_of, verifiers)):
        named.add("budgets")
    return {name: version for name, version in versions.items() if name in named}


def _show(report: Mapping[str, Any], left: Iterable[Erased]) -> None:
    """Print what was deleted and found, and each record that is left, with its reason."""
    for name, version in report["stores"].items():
        say(f"{name}: schema version {version}")
    for name, count in report["used_again"].items():
        if count:
            say(f"{name}: {quantity(count, 'case')} used more than once")
    say(f"deleted: {quantity(len(report['erased']), 'record')}")
    for each in left:
        rest = "stays" if each.is_done_here else "is left"
        call = f"{each.backend} {each.operation}" if each.operation else each.backend
        say(f"{call} {each.vendor_id or each.record_id} {rest}: {each.reason}")
    for text in report["unknown"]:
        say(f"unknown: {text}")
    for name in report["missing_indexes"]:
        say(f"missing: index {name}")
