"""The command `facematch parity`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core import ConfigurationError, Environment, Image, Secret, __version__
from facematch_core.backend.requests import do_nothing
from facematch_core.base.extras import install_command
from facematch_core.cli.files import make_folder, refuse_unwritable, write_json
from facematch_core.cli.options import Target, file_option
from facematch_core.cli.text import Exit, confirm, print_table, say
from facematch_core.errors import VendorError
from facematch_core.http.transport import host_of
from facematch_mock_server.cli import read_pairs
from facematch_mock_server.server import MockServer
from facematch_mock_server.vendors import vendor_named, vendor_names

from .aspects import compare, describe, find_words, is_private
from .calls import VENDORS, Step, VendorCalls, steps_of
from .running import (
    Caller,
    StopSignals,
    ask_mock,
    count_charges,
    end_sessions,
    explain_unseen,
    make_files,
    run_steps,
)

_PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("parity", short_help="Compare a vendor with its mock, call by call.")
@click.argument("profile")
@click.option("--same", nargs=2, type=_PICTURE, required=True, help="Two pictures of one person.")
@click.option("--other", type=_PICTURE, required=True, help="A picture of another person.")
@click.option("--switch", multiple=True, help="NAME=VALUE: change one behaviour of the mock.")
@click.option("--budget", type=click.IntRange(0), help="Maximum number of charges.")
@file_option("--out", "Output file. Default: parity-VENDOR.json.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--config", metavar="FILE", help="Configuration file with the profile.")
def command(profile: str, config: str | None, **options: Any) -> int:  # noqa: PLR0915 - from top to bottom
    """Compare the vendor of PROFILE with its mock, call by call.

    \b
    facematch parity shop --same me.jpg me-again.jpg --other friend.jpg

    Shows the maximum cost and asks before the first call. The vendor is asked to store nothing. If
    it has hosted sessions, one is started, read and deleted, but not completed. The record is
    written unless the process is killed; it contains no picture, key, id or name. Exit code 1: a
    difference was found; 3: some calls could not be compared.
    """
    setup: Any = Target(profile=profile, config=config).setup()
    name = getattr(getattr(setup, "backend", None), "name", "a failover")
    if name not in vendor_names():
        raise ConfigurationError(
            f"there is no mock of {name}: pass a profile with one of these backends: "
            f"{', '.join(vendor_names())}."
        )
    if importlib.util.find_spec("pytest") is None:
        raise ConfigurationError(f"parity needs pytest: {install_command('testing')}")
    out = options["out"] or Path(f"parity-{name}.json")
    if out.exists():
        raise click.UsageError(f"{out} exists: pass another --out.")
    refuse_unwritable("--out", out, may_exist=True)
    make_folder(out)
    images = [Image.read(path) for path in (*options["same"], options["other"])]
    try:
        changes = read_pairs("switch", options["switch"])
        mock = MockServer(vendor=name, switches=changes, control=False)
    except ValueError as error:
        raise click.UsageError(f"{error}".rstrip(".") + ".") from None
    with mock, closing(setup.open_backend()) as backend, ExitStack() as stack:
        listed = VENDORS.get(name, VendorCalls())
        # With this setting, the vendor charges each call for one more image.
        most = listed.charges + bool(getattr(backend, "reference_quality", False))
        vendor, values = attrs.evolve(listed, charges=most), mock.world.claims
        pictures = [image.prepared(backend.capabilities.image_limits) for image in images]
        size = vendor.size_limit
        files = make_files(pictures, size if isinstance(size, int) else values[size], vendor.kind)
        is_hosted = getattr(backend, vendor.sessions_need or "name")
        sessions = backend.session_capabilities if is_hosted else None
        steps, ends = steps_of(vendor, backend.capabilities.operations, sessions)
        every = (*steps, *ends)
        document: dict[str, Any] = {
            "kind": "facematch-parity",
            "schema": 2,
            "facematch": __version__,
            "vendor": name,
            "environment": next(iter(backend.environments), None),
            "behaviour": [*options["switch"]],
        }
        words = _find_public_words(name)
        caller = Caller(backend, vendor, words)
        calls = caller.calls
        _show_plan(document, caller, every, values)
        confirm("Make these calls?", yes=options["yes"])
        budget = sum(step.may_be_charged for step in every) * most
        if options["budget"] is not None:
            budget = min(budget, options["budget"])
        stopping = stack.enter_context(StopSignals())
        try:
            run_steps(caller, steps, files, budget, stopping.check)
        finally:
            # From here on, no signal interrupts the run.
            remaining: list[str] = []
            try:
                with suppress(VendorError):
                    run_steps(caller, ends, files, budget, do_nothing)
            finally:
                try:
                    remaining = end_sessions(caller, every) if ends else []
                finally:
                    unseen = explain_unseen(every, calls) | caller.unread
                    charges = count_charges(calls, most)
                    where = {call["result"]["environment"] for call in calls.values() if call}
                    document |= {
                        "rehearsal": Environment.MOCK in {*where, document["environment"]},
                        "charges": charges,
                        # Write the record of the paid calls before comparing.
                        "differences": None,
                        "nothing_seen": unseen,
                        "claims": [],
                        "calls": {step.name: describe(calls.get(step.name)) for step in every},
                    }
                    if calls:
                        _keep_record(out, document, caller, pictures)
            twin = Caller(_open_twin(caller, mock.of(name)), vendor, words)
            ask_mock(twin, mock.of(name).control, every, calls, files)
            twin.backend.close()
            answers = [reply for call in twin.calls.values() for reply in call["seen"]]
            cited = sorted({claim for reply in answers for claim in reply["claims"]})
            document["differences"] = compare(calls, twin.calls)
            document["claims"] = [each for each in cited if each.startswith(f"{name}.")]
            if calls:
                _keep_record(out, document, caller, pictures)
            _show_end(document, values, remaining)
            say(f"made {len(calls)} calls, with at most {charges} charges.", err=True)
    if calls:
        say(f"The record is {out}: read it before you share it.")
    return Exit.NO if document["differences"] else Exit.LOOK if unseen else Exit.OK


def _keep_record(
    out: Path, document: dict[str, Any], caller: Caller, pictures: Sequence[Image]
) -> None:
    """Write the record of the calls. Raises ConfigurationError if it contains private data."""
    if is_private(document, caller.secrets, pictures):
        raise ConfigurationError(
            "The record would contain a key, an id or part of a picture, so it was not written. "
            "Please report this."
        )
    write_json(out, document)


def _find_public_words(name: str) -> frozenset[str]:
    """Return the words in a mock's source, which are public because it names no people."""
    module: Any = sys.modules[vendor_named(name).behaviour.__module__]
    file = Path(module.__file__)
    files = file.parent.glob("*.py") if module.__package__ else (file,)
    return find_words(each.read_text("utf-8") for each in files)


def _show_end(document: Any, values: Any, remaining: Sequence[str]) -> None:
    for row in document["differences"]:
        kind, space, place = row["aspect"].partition(" ")
        # If the aspect belongs to a path in the response, only the path is shown.
        aspect = (place or "body") if space and kind != "header" else row["aspect"]
        sides = " -> ".join(_write(row[side]) for side in ("mock", "vendor"))
        first, *rest = row["calls"]
        calls = f"{first} and {len(rest)} more" if len(rest) > 2 else ", ".join(row["calls"])
        say(f"{calls}: {aspect} {sides}")
    if document["nothing_seen"]:
        reasons = (f"{call} ({reason})" for call, reason in document["nothing_seen"].items())
        say(f"not compared: {', '.join(reasons)}")
    for start in remaining:
        say(f"The session of the call {start} may still exist at the vendor: delete it there.")
    of_vendor = [claim for claim in values.claims if claim.vendor == document["vendor"]]
    say(f"These calls covered {len(document['claims'])} of the mock's {len(of_vendor)} claims.")


def _write(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)


def _show_plan(document: Any, caller: Caller, steps: Sequence[Step], values: Any) -> None:
    """Print the planned calls, their host, and their maximum cost."""
    host, most = host_of(caller.backend.service_url), caller.vendor.charges
    say(f"{document['vendor']} at {host}, environment: {document['environment'] or 'not said'}")
    say(f"compared with its mock, switches: {' '.join(document['behaviour']) or 'none'}")
    billed = [step for step in steps if step.may_be_charged]
    rows = [
        (step.name, step.sentence, str(most * (step in billed)), str(most * (not step.is_free)))
        for step in steps
    ]
    print_table(("call", "request", "maximum charges", "by the claims"), rows)
    claimed = sum(not step.is_free for step in steps)
    say(f"at most {len(billed) * most} charges; by the mock's claims at most {claimed * most}.")
    say("The pictures are sent to this host with a request to store nothing; nobody is enrolled. "
        "Sessions are not completed, and deleted if the vendor supports it. The profile's budget "
        "does not apply: set one with --budget.")  # fmt: skip
    for key in ("credit.price", "credit.price.match", "credit.price.liveness"):
        if key in values:
            say(f"one charge: {values[key]} USD, from the claim {document['vendor']}.{key}")


def _open_twin(caller: Caller, mock: Any) -> Any:
    """Return a copy of the backend with the mock's address and keys."""
    backend, vendor = caller.backend, caller.vendor
    settings = attrs.asdict(backend, recurse=False).items()
    places = vendor.keys or {n: "live_key" for n, value in settings if isinstance(value, Secret)}
    keys = {name: getattr(mock, place) for name, place in places.items()}
    if Environment.SANDBOX in backend.environments and mock.sandbox_key:
        keys = dict.fromkeys(keys, mock.sandbox_key)
    # The profile's proxy and certificates have no effect on loopback, so they are not reset.
    return attrs.evolve(backend, **vendor.settings, **keys, base_url=mock.url)
