"""`facematch parity`: what people type, and what they are shown."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core import ConfigurationError, Environment, Image, Secret, __version__
from facematch_core.cli import common
from facematch_core.cli.common import Exit, say
from facematch_core.transport import host_of
from facematch_mock_server.cli import read_switches
from facematch_mock_server.server import MockServer
from facematch_mock_server.vendors import vendor_named

from .aspects import find_words
from .caller import Caller, ask_mock, make_files, run_steps
from .calls import VENDORS, Step, VendorCalls, steps_of
from .journal import Journal
from .judge import describe, find_private, judge

_PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("parity", short_help="Compare a vendor with its mock, by claim.")
@click.argument("profile")
@click.option("--same", nargs=2, type=_PICTURE, required=True, help="Two pictures of one person.")
@click.option("--other", type=_PICTURE, required=True, help="A picture of another person.")
@click.option("--edition", help="Edition of the vendor's documents; by default the mock's own.")
@click.option("--switch", multiple=True, help="NAME=VALUE: change one behaviour of the edition.")
@click.option("--budget", type=click.IntRange(0), help="Charges that are not to be exceeded.")
@common.file_option("--out", "The record, parity-VENDOR.json by default; a journal lies beside it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--config", metavar="FILE", help="Configuration file with the profile.")
def command(profile: str, config: str | None, yes: bool, **options: Any) -> int:
    """Does the vendor of PROFILE behave as its mock does, claim by claim?

    \b
    facematch parity shop --same me.jpg me-again.jpg --other friend.jpg

    It shows what it may cost, and asks. The vendor is asked to keep nothing. After an end of any
    kind the same command goes on, and pays for no call twice. The record holds no picture, key, id
    or name. Exit code 1: a claim fails; 3: the budget ended it.
    """
    planned: Any = common.Target(profile=profile, config=config).plan()
    name, vendor = _find_vendor(planned)
    out = options["out"] or Path(f"parity-{name}.json")
    journal_path = _find_journal(out)
    images = [Image.read(path) for path in (*options["same"], options["other"])]
    with ExitStack() as stack:
        mock = stack.enter_context(_open_mock(name, options["edition"], options["switch"]))
        backend: Any = planned.open_backend()
        stack.callback(backend.close)
        values, rules, size = mock.world.claims, backend.capabilities, vendor.size_limit
        claims = [claim for claim in values.claims if claim.vendor == name]
        limit = values[size] if isinstance(size, str) else size
        pictures = [image.prepared(rules.limits_for("probe")) for image in images]
        files = make_files(pictures, limit, vendor.kind)
        steps = steps_of(vendor, rules.operations)
        behaviour = (mock.world.edition, *options["switch"])
        plan = (profile, name, backend.address, behaviour, [step.name for step in steps])
        journal = Journal(journal_path, (*plan, [image.digest for image in images]))
        stack.callback(journal.close)
        todo = [step for step in steps if step.name not in journal.calls]
        budget = counted = journal.count_charges(vendor.charges)
        budget += len(todo) * vendor.charges
        environment = next(iter(backend.environments), None)
        if todo:
            say(f"{name} at {host_of(backend.address)}, environment: {environment or 'not said'}")
            say(f"beside its mock: {' '.join(behaviour)}")
            _show_plan(vendor, todo, counted)
            _show_prices(rules.billed_operations, claims, values)
            common.confirm("Make these calls?", yes=yes)
        if options["budget"] is not None:
            budget = min(budget, options["budget"])
        words = find_words((claim.statement, claim.value) for claim in claims)
        caller = Caller(backend, vendor, words)
        try:
            is_whole = run_steps(caller, journal, steps, files, budget)
        finally:
            charges = journal.count_charges(vendor.charges)
            calls = len(journal.calls)
            say(f"{calls} of {len(steps)} calls are made, at most {charges} charges.", err=True)
            if calls < len(steps):
                say("The same command goes on from here.", err=True)
        double = planned.backend(**_settings(planned, vendor, mock.of(name), environment))
        stack.callback(double.close)
        twin = Caller(double, vendor, words)
        ours = ask_mock(twin, mock.of(name).control, steps, journal.calls, files)
    document = {
        "kind": "facematch-parity",
        "schema": 1,
        "facematch": __version__,
        "vendor": name,
        "environment": environment,
        "behaviour": behaviour,
        "rehearsal": environment is Environment.MOCK,
        "charges": charges,
        "calls": {step.name: describe(journal.calls.get(step.name)) for step in steps},
        "claims": judge(vendor, claims, journal.calls, ours),
    }
    if private := find_private(document, caller.secrets, pictures):
        raise ConfigurationError(
            f"The record would hold {' and '.join(private)}, so it was not written: report this."
        )
    common.write_json(out, document)
    is_failed = _show_claims(document["claims"])
    say(f"The record is {out}: read it before you give it away.")
    return Exit.NO if is_failed else Exit.OK if is_whole else Exit.LOOK


def _find_vendor(planned: Any) -> tuple[str, VendorCalls]:
    """The vendor of a profile, with what one call of that profile can cost."""
    if importlib.util.find_spec("pytest") is None:
        raise ConfigurationError('parity needs more: pip install -e ".[testing]" in the checkout.')
    name = getattr(getattr(planned, "backend", None), "name", "a failover")
    if name not in VENDORS:
        raise ConfigurationError(
            f"{name} has no mock of a vendor to compare with: name a profile of one backend, "
            f"{', '.join(VENDORS)}."
        )
    # That setting asks for one image more.
    more = any(each.name == "reference_quality" and each.value for each in planned.settings)
    return name, attrs.evolve(VENDORS[name], charges=VENDORS[name].charges + more)


def _find_journal(out: Path) -> Path:
    """The journal beside a record, after a look whether that can be written."""
    path = Path(f"{out}.journal")
    if out.exists() and not path.exists():
        raise click.UsageError(f"{out} exists, and no journal beside it: name another --out.")
    common.check_target("--out", out, force=True)
    common.make_folder(path)
    return path


def _open_mock(name: str, edition: str | None, switches: tuple[str, ...]) -> MockServer:
    try:
        changes = read_switches([vendor_named(name)], switches)
        return MockServer(vendor=name, edition=edition, switches=changes, control=False)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None


def _show_plan(vendor: VendorCalls, todo: Sequence[Step], counted: int) -> None:
    """What will be asked, and what it may cost."""
    most = vendor.charges
    rows = [(s.name, s.sentence, str(most), "0" if s.is_free else str(most)) for s in todo]
    common.print_table(("call", "what is asked", "charges at most", "by the claims"), rows)
    billed = sum(not step.is_free for step in todo)
    say(f"at most {len(todo) * most} charges, by the claims at most {billed * most}; "
        f"{counted} count from before.")  # fmt: skip
    say("The pictures are sent there, nothing is to be kept, and nobody is enrolled. No budget of "
        "the profile is asked: set one by --budget.")  # fmt: skip


def _show_prices(operations: Sequence[Any], claims: Sequence[Any], values: Any) -> None:
    """What one call costs, as far as a claim says it."""
    for operation in sorted(operations):
        for claim in claims:
            if claim.key in ("credit.price", f"credit.price.{operation}"):
                price, source = values[claim.key], claim.origin.document
                say(f"one charge of a {operation}: {price} USD, by: {source}")


def _settings(planned: Any, vendor: VendorCalls, mock: Any, environment: Any) -> dict[str, Any]:
    """The settings of the profile for the mock: with its address and its keys."""
    apart = ("proxy", "ca_bundle", "allow_base_url", "allow_insecure", "environment")
    chosen = [each for each in planned.settings if each.origin != "default"]
    settings = {each.name: each.value for each in chosen if not isinstance(each.value, Secret)}
    keys = {name: getattr(mock, place) for name, place in vendor.keys.items()}
    if environment is Environment.SANDBOX and mock.sandbox_key:
        keys = dict.fromkeys(keys, mock.sandbox_key)
    settings = {name: value for name, value in settings.items() if name not in apart}
    return {**settings, **vendor.settings, **keys, "base_url": mock.url}


def _show_claims(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a claim fails, after a table of those that were seen."""
    columns = ("result", "claim", "source", "read")
    seen = [[row[column] for column in columns] for row in rows if row["result"] != "not seen"]
    common.print_table(columns, seen)
    say(f"not seen: {len(rows) - len(seen)} more claims")
    return any(row["result"] == "fails" for row in rows)
