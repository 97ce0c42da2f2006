"""`facematch parity`: what people type, and what they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from facematch_core import ConfigurationError, Environment, Image, Secret, __version__
from facematch_core.addresses import is_among
from facematch_core.cli import common
from facematch_core.cli.common import Exit, say

from .calls import VENDORS, Step, VendorCalls, steps_of

_PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


# fmt: off
@click.command("parity", short_help="Compare a vendor with its mock, by claim.")
@click.argument("profile")
@click.option("--same", nargs=2, type=_PICTURE, required=True, metavar="A B",
    help="Two pictures of one person: yourself, or somebody who agreed.")
@click.option("--other", type=_PICTURE, required=True, metavar="C",
    help="A picture of another person, who agreed.")
@click.option("--edition", help="Edition of the vendor's documents; by default the mock's own.")
@click.option("--switch", multiple=True, metavar="NAME=VALUE",
    help="Change one behaviour of the edition. May be repeated.")
@click.option("--budget", type=click.IntRange(0), metavar="CHARGES",
    help="Stop before a call that could cost more than is left of this.")
@common.file_option("--out", "The record, parity-VENDOR.json by default; a journal lies beside it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--config", metavar="FILE", help="Configuration file with the profile.")
# fmt: on
def command(profile: str, config: str | None, **given: Any) -> int:
    """Does the vendor of PROFILE behave as its mock does, claim by claim?

    \b
    facematch parity shop --same me.jpg me-again.jpg --other friend.jpg

    It shows what it may cost, and asks. The vendor is asked to keep nothing. After an end of any
    kind the same command goes on, and pays for no call twice. The record holds no picture, key, id
    or name. Exit code 1: a claim fails; 3: the budget ended it.
    """
    planned: Any = common.Target(profile=profile, config=config).plan()
    vendor = _find_vendor(planned)
    name, paths = planned.backend.name, (*given["same"], given["other"])
    originals = [Image.read(path) for path in paths]
    with ExitStack() as stack:
        backend: Any = planned.open_backend()
        stack.callback(backend.close)
        mock = stack.enter_context(_open_mock(name, given["edition"], given["switch"]))
        # Not above: what needs the mock's own packages.
        from .judging import find_private, judge
        from .running import Journal, Line, ask_mock, make_files, run_steps

        limits, claims = backend.capabilities.limits_for("probe"), mock.world.claims
        pictures = [image.prepared(limits) for image in originals]
        limit = vendor.size_limit
        limit = claims[limit] if isinstance(limit, str) else limit
        named = dict(zip(("same", "again", "other"), pictures, strict=True))
        files = make_files(named, limit, vendor.kind)
        steps, out = steps_of(vendor, backend.capabilities.operations), given["out"]
        out = out or Path(f"parity-{name}.json")
        digests, names = [image.digest for image in originals], [step.name for step in steps]
        behaviour = (mock.world.edition, *given["switch"])
        plan = (profile, name, backend.address, behaviour, names, digests)
        journal = Journal(Path(f"{out}.journal"), plan)
        stack.callback(journal.close)
        line, counted = Line(backend, vendor), journal.count(vendor.charges)
        todo = [step for step in steps if not journal.is_done(step.name)]
        most = counted + len(todo) * vendor.charges
        document = {
            "kind": "facematch-parity",
            "schema": 1,
            "facematch": __version__,
            "vendor": name,
            "host": _host(backend),
            "environment": str(next(iter(backend.environments), "not said")),
            "rehearsal": Environment.MOCK in backend.environments,
            "edition": mock.world.edition,
            "switches": list(given["switch"]),
        }
        if todo:
            _show_plan(document, vendor, todo, counted)
            for words in _prices(planned, claims):
                say(words)
            common.confirm("Make these calls?", yes=given["yes"])
        is_whole = False
        try:
            budget = most if given["budget"] is None else min(most, given["budget"])
            is_whole = run_steps(line, journal, steps, files, budget)
        finally:
            if not is_whole:
                done, charges = sum(map(journal.is_done, names)), journal.count(vendor.charges)
                say(f"{done} of {len(steps)} calls are made, and count as {charges} charges at "
                    "most. The same command goes on.", err=True)  # fmt: skip
        own = planned.backend(**_own_settings(planned, vendor, mock.of(name), document))
        stack.callback(own.close)
        ours = ask_mock(Line(own, vendor), mock.of(name).control, steps, journal.ended, files)
        rows = judge(vendor, claims.claims, journal.ended, ours)
        calls = [_describe(step, journal) for step in steps]
        document |= {
            "models": sorted({call["model"] for call in calls if call.get("model")}),
            "date": max((seen["on"] for seen in journal.ended.values()), default=None),
            "charges": journal.count(vendor.charges),
            "calls": calls,
            "claims": rows,
        }
        words = {word for path in paths for word in (path.name, path.stem)}
        private = find_private(document, line.secrets, [i.data for i in pictures], words)
        if private:
            raise ConfigurationError(
                f"The record would have {' and '.join(private)} in it, so it was not written: "
                "give the files other names, or report this."
            )
    seen_rows = [row for row in rows if row["result"] != "not seen"]
    columns = ("result", "claim", "source", "read")
    common.print_table(columns, [[row[column] for column in columns] for row in seen_rows])
    say(f"{len(rows) - len(seen_rows)} claims are not seen in these calls.")
    common.write_json(out, document)
    say(f"The record is {out}: read it before you give it away.")
    if any(row["result"] == "fails" for row in rows):
        return Exit.NO
    return Exit.OK if is_whole else Exit.LOOK


def _find_vendor(planned: Any) -> VendorCalls:
    """The calls of the vendor of a profile; `ConfigurationError` where there is no mock."""
    if not hasattr(planned, "open_backend"):
        raise ConfigurationError("This profile is a failover: name the profile of one member.")
    name = planned.backend.name
    if name == "local":
        raise ConfigurationError("local computes on this machine: there is no vendor to compare.")
    if name not in VENDORS:
        raise ConfigurationError(f"There is no mock of {name}: parity knows {', '.join(VENDORS)}.")
    return VENDORS[name]


def _open_mock(name: str, edition: str | None, switches: tuple[str, ...]) -> Any:
    try:
        from facematch_mock_server.cli import read_switches
        from facematch_mock_server.server import MockServer
        from facematch_mock_server.vendors import vendor_named
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f'The mock needs {missing.name}: pip install -e ".[mock]" in the checkout.'
        ) from None
    try:
        changes = read_switches([vendor_named(name)], switches)
        return MockServer(vendor=name, edition=edition, switches=changes, control=False)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None


def _host(backend: Any) -> str:
    """The host by the pattern that it fits: a label of it may name somebody's account."""
    from facematch_core.transport import host_of

    host = host_of(backend.address)
    own = "this machine" if host in ("127.0.0.1", "localhost", "::1") else "a server of one's own"
    return next((pattern for pattern in backend.allowed_hosts if is_among(host, {pattern})), own)


def _show_plan(about: Any, vendor: VendorCalls, todo: list[Step], counted: int) -> None:
    """What will be asked of whom, and what it may cost."""
    say(f"{about['vendor']} at {about['host']}, environment: {about['environment']}")
    say(f"beside its mock, edition {' '.join((about['edition'], *about['switches']))}")
    costs = [(vendor.charges, 0 if step.is_free else vendor.charges) for step in todo]
    rows = [[step.name, step.sentence, *map(str, cost)] for step, cost in zip(todo, costs, strict=True)]
    common.print_table(("call", "what is asked", "charges at most", "by the claims"), rows)
    most, expected = (sum(column) for column in zip(*costs, strict=True))
    before = f", beside {counted} that count from before" if counted else ""
    say(f"at most {most} charges, by the claims at most {expected}{before}")
    say("The pictures go there, nothing is to be kept, and nobody is enrolled. No budget of the "
        "profile is asked: set one by --budget.")  # fmt: skip


def _prices(planned: Any, claims: Any) -> Iterator[str]:
    """What one call costs, as far as the profile or a claim knows."""
    budget = planned.profile.policies.get("budget", {}) if planned.profile else {}
    for operation in sorted(planned.backend.capabilities.billed_operations):
        key = f"credit.price.{operation}"
        key = key if key in claims else "credit.price"
        if operation in budget.get("price", {}):
            yield f"one {operation}: {budget['price'][operation]} {budget['currency']} (profile)"
        elif key in claims:
            origin = next(claim.origin for claim in claims.claims if claim.key == key)
            yield f"one {operation}: {Decimal(str(claims[key]))} USD ({origin.document})"


def _own_settings(planned: Any, vendor: VendorCalls, mock: Any, about: Any) -> dict[str, Any]:
    """The settings of the profile for the mock: with its address and its keys."""
    apart = ("proxy", "ca_bundle", "allow_base_url", "allow_insecure", "environment")
    settings = {
        setting.name: setting.value
        for setting in planned.settings
        if setting.origin != "default" and not isinstance(setting.value, Secret)
    }
    for name in apart:
        settings.pop(name, None)
    keys = {name: getattr(mock, place) for name, place in vendor.keys.items()}
    if about["environment"] == Environment.SANDBOX and mock.sandbox_key:
        keys["api_key"] = mock.sandbox_key
    return settings | dict(vendor.settings) | keys | {"base_url": mock.url}


def _describe(step: Step, journal: Any) -> dict[str, Any]:
    """One call for the record."""
    seen = journal.ended.get(step.name)
    if seen is None:
        state = "begun and not ended" if step.name in journal.begun else "not made"
        return {"call": step.name, "state": state}
    shape = {
        f"{aspect.removeprefix('shape').strip()}: {'|'.join(kinds)}"
        for reply in seen["replies"]
        for aspect, kinds in reply.items()
        if aspect.startswith("shape ")
    }
    outcome, level = seen["outcome"], seen["threshold"]
    return {
        "call": step.name,
        "state": seen.get("void", "made"),
        "statuses": [reply["status"] for reply in seen["replies"]],
        "shape": sorted(shape),
        "decision": outcome.get("decision", outcome.get("error")),
        "charged": outcome["charged"],
        "model": outcome.get("model"),
        "score": None if outcome.get("score") is None else round(outcome["score"]),
        "threshold": None if level is None else round(level),
    }
