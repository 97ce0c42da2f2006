"""`facematch parity`: what people type, and what they are shown."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core import ConfigurationError, Environment, Image, Secret, __version__
from facematch_core.cli import common
from facematch_core.cli.common import Exit, say
from facematch_core.transport import host_of

from .calls import VENDORS, Step, VendorCalls, steps_of
from .judging import describe, find_private, judge
from .running import Journal, Line, ask_mock, make_files, run_steps

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
def command(profile: str, config: str | None, **options: Any) -> int:
    """Does the vendor of PROFILE behave as its mock does, claim by claim?

    \b
    facematch parity shop --same me.jpg me-again.jpg --other friend.jpg

    It shows what it may cost, and asks. The vendor is asked to keep nothing. After an end of any
    kind the same command goes on, and pays for no call twice. The record holds no picture, key, id
    or name. Exit code 1: a claim fails; 3: the budget ended it.
    """
    planned: Any = common.Target(profile=profile, config=config).plan()
    name, vendor = _find_vendor(planned)
    paths = (*options["same"], options["other"])
    originals, out = [*map(Image.read, paths)], options["out"] or Path(f"parity-{name}.json")
    with ExitStack() as stack:
        backend: Any = planned.open_backend()
        stack.callback(backend.close)
        mock = stack.enter_context(_open_mock(name, options["edition"], options["switch"]))
        can, claims, size = backend.capabilities, mock.world.claims, vendor.size_limit
        pictures = [image.prepared(can.limits_for("probe")) for image in originals]
        files = make_files(pictures, claims[size] if isinstance(size, str) else size, vendor.kind)
        steps, behaviour = (
            steps_of(vendor, can.operations),
            (mock.world.edition, *options["switch"]),
        )
        names, digests = [step.name for step in steps], [image.digest for image in originals]
        plan = (profile, name, backend.address, behaviour, names, digests)
        journal = Journal(Path(f"{out}.journal"), plan)
        stack.callback(journal.close)
        line, counted = Line(backend, vendor), journal.count(vendor.charges)
        todo = [step for step in steps if step.name not in journal.calls]
        environment = next(iter(backend.environments), None)
        document: dict[str, Any] = {
            "kind": "facematch-parity",
            "schema": 1,
            "facematch": __version__,
            "vendor": name,
            "environment": environment,
            "behaviour": behaviour,
        }
        if todo:
            _show_plan(document, backend.address, vendor, todo, counted)
            _show_prices(planned, claims)
            common.confirm("Make these calls?", yes=options["yes"])
        most, is_whole = counted + len(todo) * vendor.charges, False
        budget = most if options["budget"] is None else min(most, options["budget"])
        try:
            is_whole = run_steps(line, journal, steps, files, budget)
        finally:
            charges = journal.count(vendor.charges)
            _tell_place(len(journal.calls), len(steps), charges)
        double = planned.backend(**_settings(planned, vendor, mock.of(name), environment))
        stack.callback(double.close)
        ours = ask_mock(Line(double, vendor), mock.of(name).control, steps, journal.calls, files)
        rows = judge(vendor, claims.claims, journal.calls, ours)
        calls = {name: describe(journal.calls.get(name)) for name in names}
        is_mock = any(call.get("environment") == Environment.MOCK for call in calls.values())
        document |= {"rehearsal": is_mock, "charges": charges, "calls": calls, "claims": rows}
        words = {word for path in paths for word in (path.name, path.stem)} - {*names}
        private = find_private(document, line.secrets, pictures, words)
    if private:
        raise ConfigurationError(
            f"The record would hold {' and '.join(private)}, so it was not written: give the files "
            "other names, or report this."
        )
    common.write_json(out, document)
    _show_rows(rows)
    say(f"The record is {out}: read it before you give it away.")
    fails = any(row["result"] == "fails" for row in rows)
    return Exit.NO if fails else Exit.OK if is_whole else Exit.LOOK


def _show_rows(rows: list[Any]) -> None:
    columns = ("result", "claim", "source", "read")
    shown = [[row[column] for column in columns] for row in rows if row["result"] != "not seen"]
    common.print_table(columns, shown)
    say(f"not seen: {len(rows) - len(shown)} more claims")


def _tell_place(calls: int, steps: int, charges: int) -> None:
    say(f"{calls} of {steps} calls are made, and count as {charges} charges at most.", err=True)
    if calls < steps:
        say("The same command goes on from here.", err=True)


def _find_vendor(planned: Any) -> tuple[str, VendorCalls]:
    name = getattr(getattr(planned, "backend", None), "name", "a failover")
    if name not in VENDORS:
        raise ConfigurationError(
            f"{name} has no mock of a vendor to compare with: name a profile of one backend, "
            f"{', '.join(VENDORS)}."
        )
    # That setting asks for one image more.
    more = any(each.name == "reference_quality" and each.value for each in planned.settings)
    return name, attrs.evolve(VENDORS[name], charges=VENDORS[name].charges + more)


def _open_mock(name: str, edition: str | None, switches: tuple[str, ...]) -> Any:
    try:
        import facematch_core.testing  # noqa: F401 - which the end needs
        from facematch_mock_server.cli import read_switches
        from facematch_mock_server.server import MockServer
        from facematch_mock_server.vendors import vendor_named

        changes = read_switches([vendor_named(name)], switches)
        return MockServer(vendor=name, edition=edition, switches=changes, control=False)
    except ImportError:
        problem = 'parity needs more packages: pip install -e ".[testing]" in the checkout.'
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    raise ConfigurationError(problem)


def _show_plan(
    about: Any, address: str, vendor: VendorCalls, todo: list[Step], counted: int
) -> None:
    """What will be asked of whom, and what it may cost."""
    environment = about["environment"] or "not said"
    say(f"{about['vendor']} at {host_of(address)}, environment: {environment}")
    say(f"beside its mock: {' '.join(about['behaviour'])}")
    most = vendor.charges
    rows = [(s.name, s.sentence, str(most), "0" if s.is_free else str(most)) for s in todo]
    common.print_table(("call", "what is asked", "charges at most", "by the claims"), rows)
    free = sum(step.is_free for step in todo)
    say(f"at most {len(todo) * most} charges, by the claims at most {(len(todo) - free) * most}; "
        f"{counted} count from before.")  # fmt: skip
    say("The pictures are sent there, nothing is to be kept, and nobody is enrolled. No budget of "
        "the profile is asked: set one by --budget.")  # fmt: skip


def _show_prices(planned: Any, claims: Any) -> None:
    """What one call costs, as far as the profile or a claim knows."""
    budget = planned.profile.policies.get("budget", {})
    for operation in sorted(planned.backend.capabilities.billed_operations):
        keys = ("credit.price", f"credit.price.{operation}")
        claim = next((claim for claim in claims.claims if claim.key in keys), None)
        if operation in budget.get("price", {}):
            price, unit = budget["price"][operation], budget["currency"]
            say(f"one {operation}: {price} {unit}, by the profile")
        elif claim is not None:
            say(f"one {operation}: {claims[claim.key]} USD, by: {claim.origin.document}")


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
