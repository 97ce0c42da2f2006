"""`facematch parity`: what people type, and what they are shown."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core import ConfigurationError, Environment, Image, __version__
from facematch_core.cli.files import check_target, make_folder, write_json
from facematch_core.cli.options import Target, file_option
from facematch_core.cli.text import Exit, confirm, print_table, say
from facematch_core.transport import host_of
from facematch_mock_server.cli import read_switches
from facematch_mock_server.server import MockServer
from facematch_mock_server.vendors import vendor_named

from .aspects import find_words
from .calls import VENDORS, Step, steps_of
from .judge import describe, is_private, judge
from .running import Caller, CallLog, ask_mock, find_open, make_files, run_steps

_PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("parity", short_help="Compare a vendor with its mock, by claim.")
@click.argument("profile")
@click.option("--same", nargs=2, type=_PICTURE, required=True, help="Two pictures of one person.")
@click.option("--other", type=_PICTURE, required=True, help="A picture of another person.")
@click.option("--edition", help="Edition of the vendor's documents; by default the mock's own.")
@click.option("--switch", multiple=True, help="NAME=VALUE: change one behaviour of the edition.")
@click.option("--budget", type=click.IntRange(0), help="Charges that are not to be exceeded.")
@file_option("--out", "The record, parity-VENDOR.json by default; a journal lies beside it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--config", metavar="FILE", help="Configuration file with the profile.")
def command(profile: str, config: str | None, **options: Any) -> int:  # noqa: PLR0915 - from top to bottom
    """Does the vendor of PROFILE behave as its mock does, claim by claim?

    \b
    facematch parity shop --same me.jpg me-again.jpg --other friend.jpg

    It shows what it may cost, and asks. The vendor is asked to keep nothing. A hosted session,
    where there is one, is started, read and deleted, and nobody goes through it. After an end of
    any kind the same command goes on, and pays for no call twice. The record holds no picture,
    key, id or name. Exit code 1: a claim fails; 3: the budget ended it.
    """
    planned: Any = Target(profile=profile, config=config).plan()
    name = getattr(getattr(planned, "backend", None), "name", "a failover")
    if name not in VENDORS:
        raise ConfigurationError(
            f"{name} has no mock of a vendor to compare with: name a profile of one backend, "
            f"{', '.join(VENDORS)}."
        )
    if importlib.util.find_spec("pytest") is None:
        raise ConfigurationError('parity needs more: pip install -e ".[testing]" in the checkout.')
    out = options["out"] or Path(f"parity-{name}.json")
    journal_path = Path(f"{out}.journal")
    if out.exists() and not journal_path.exists():
        raise click.UsageError(f"{out} exists, with no journal beside it: name another --out.")
    check_target("--out", out, force=True)
    make_folder(out)
    images = [Image.read(path) for path in (*options["same"], options["other"])]
    mock = _make_mock(name, options["edition"], options["switch"])
    with mock, closing(planned.open_backend()) as backend:
        # That setting asks for one image more.
        most = VENDORS[name].charges + bool(getattr(backend, "reference_quality", False))
        vendor = attrs.evolve(VENDORS[name], charges=most)
        rules, values = backend.capabilities, mock.world.claims
        claims = [claim for claim in values.claims if claim.vendor == name]
        size = vendor.size_limit
        pictures = [image.prepared(rules.limits_for("probe")) for image in images]
        files = make_files(pictures, size if isinstance(size, int) else values[size], vendor.kind)
        need = vendor.sessions_need
        sessions = backend.session_capabilities if getattr(backend, need or "name") else None
        steps = steps_of(vendor, rules.operations, sessions)
        document: dict[str, Any] = {
            "kind": "facematch-parity",
            "schema": 1,
            "facematch": __version__,
            "vendor": name,
            "environment": next(iter(backend.environments), None),
            "behaviour": [mock.world.edition, *options["switch"]],
        }
        digests = [image.digest for image in images]
        plan = (profile, name, backend.address, document["behaviour"], digests)
        # Nobody's name is in the source of a mock.
        source = resources.files(f"{vendor_named.__module__}.{name}").iterdir()
        words = find_words(each.read_text("utf-8") for each in source if each.name[-3:] == ".py")
        caller = Caller(backend, vendor, words)
        with closing(CallLog(journal_path, plan)) as journal:
            todo = [step for step, _ in find_open(steps, journal.calls)]
            budget = journal.count_charges(most) + sum(step.may_be_charged for step in todo) * most
            if todo:
                _show_plan(document, caller, todo, journal.count_charges(most))
                for key in ("credit.price", "credit.price.match", "credit.price.liveness"):
                    if key in values:
                        say(f"one charge: {values[key]} USD, by the claim {name}.{key}")
                confirm("Make these calls?", yes=options["yes"])
            if options["budget"] is not None:
                budget = min(budget, options["budget"])
            is_whole = False
            try:
                is_whole = run_steps(caller, journal, steps, files, budget)
            finally:
                calls, charges = journal.calls, journal.count_charges(most)
                end = "." if is_whole else ": the same command goes on from here."
                say(f"{len(calls)} calls are made, at most {charges} charges{end}", err=True)
        twin = Caller(_open_twin(caller, mock.of(name)), vendor, words)
        ours = ask_mock(twin, mock.of(name).control, steps, calls, files)
        twin.backend.close()
    rows = judge(vendor, claims, calls, ours)
    environments = {call["result"]["environment"] for call in calls.values() if call}
    document["rehearsal"] = Environment.MOCK in {*environments, document["environment"]}
    document["charges"] = charges
    document["calls"] = {step.name: describe(calls.get(step.name)) for step in steps}
    document["claims"] = rows
    if is_private(document, caller.secrets, pictures):
        raise ConfigurationError(
            "The record would hold a key, an id or a piece of a picture, so it was not written: "
            "report this."
        )
    write_json(out, document)
    columns = ("result", "claim", "source", "read")
    shown = [[row[column] for column in columns] for row in rows if row["result"] != "not seen"]
    print_table(columns, shown)
    say(f"not seen: {len(rows) - len(shown)} more claims")
    say(f"The record is {out}: read it before you give it away.")
    is_failed = any(row["result"] == "fails" for row in rows)
    return Exit.NO if is_failed else Exit.OK if is_whole else Exit.LOOK


def _make_mock(name: str, edition: str | None, switches: tuple[str, ...]) -> MockServer:
    try:
        changes = read_switches([vendor_named(name)], switches)
        return MockServer(vendor=name, edition=edition, switches=changes, control=False)
    except ValueError as error:
        raise click.UsageError(f"{error}".rstrip(".") + ".") from None


def _show_plan(document: Any, caller: Caller, todo: Sequence[Step], counted: int) -> None:
    """What will be asked of whom, and what it may cost."""
    host, most = host_of(caller.backend.address), caller.vendor.charges
    say(f"{document['vendor']} at {host}, environment: {document['environment'] or 'not said'}")
    say(f"beside its mock: {' '.join(document['behaviour'])}")
    billed = [step for step in todo if step.may_be_charged]
    rows = [
        (step.name, step.sentence, str(most * (step in billed)), str(most * (not step.is_free)))
        for step in todo
    ]
    print_table(("call", "what is asked", "charges at most", "by the claims"), rows)
    claimed = sum(not step.is_free for step in todo)
    say(f"at most {len(billed) * most} charges, by the claims at most {claimed * most}; "
        f"{counted} count from before.")  # fmt: skip
    say("The pictures are sent there, nothing is to be kept, and nobody is enrolled; a session is "
        "for nobody, and deleted where the vendor can. No budget of the profile is asked: set one "
        "by --budget.")  # fmt: skip


def _open_twin(caller: Caller, mock: Any) -> Any:
    """The same backend, which asks the mock by the mock's keys."""
    backend, vendor = caller.backend, caller.vendor
    keys = {name: getattr(mock, place) for name, place in vendor.keys.items()}
    if Environment.SANDBOX in backend.environments and mock.sandbox_key:
        keys = dict.fromkeys(keys, mock.sandbox_key)
    more = {**vendor.settings, **keys, "base_url": mock.url, "proxy": None, "ca_bundle": None}
    return attrs.evolve(backend, **more)
