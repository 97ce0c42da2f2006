"""The command `facematch parity`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core import ConfigurationError, Environment, Image, Secret, __version__
from facematch_core.base.extras import install_command
from facematch_core.cli.files import make_folder, refuse_unwritable, write_json
from facematch_core.cli.options import Target, file_option
from facematch_core.cli.text import Exit, confirm, print_table, say
from facematch_core.http.transport import host_of
from facematch_mock_server.cli import read_pairs
from facematch_mock_server.server import MockServer
from facematch_mock_server.vendors import vendor_named, vendor_names

from .aspects import RecordedCall, find_words, is_private
from .calls import VENDORS, Step, VendorCalls, last_steps_of, steps_of
from .differences import Comparison, compare
from .mock_calls import ask_mock
from .running import (
    Recorder,
    StopSignals,
    count_max_charges,
    delete_sessions,
    explain_unseen,
    find_remaining,
    make_files,
    run_steps,
)

_PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("parity", short_help="Compare a vendor with its mock, call by call.")
@click.argument("profile")
@click.option("--same", nargs=2, type=_PICTURE, required=True, help="Two pictures of one person.")
@click.option("--other", type=_PICTURE, required=True, help="A picture of another person.")
@click.option(
    "--switch", multiple=True, metavar="NAME=VALUE", help="Change one behaviour of the mock."
)
@click.option(
    "--budget", type=click.IntRange(0), metavar="NUMBER", help="Maximum number of charges."
)
@file_option("--out", "Output file. Default: parity-VENDOR.json.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--config", metavar="FILE", help="Configuration file with the profile.")
def command(profile: str, config: str | None, **options: Any) -> int:
    """Compare the vendor of PROFILE with its mock, call by call.

    \b
    facematch parity shop --same me.jpg me-again.jpg --other friend.jpg

    Shows the maximum cost and asks before the first call. The vendor is asked to store nothing. If
    it has hosted sessions, one is started, read and deleted, but not completed. The record is
    written unless the process is killed; it contains no picture, key, id or name. Exit code 1: a
    difference was found; 3: some calls could not be compared.
    """
    setup: Any = Target(profile=profile, config=config).setup()
    name = getattr(getattr(setup, "backend", None), "name", "a failover or a share")
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
        switches = read_pairs("switch", options["switch"])
        server = MockServer(vendor=name, switches=switches, control=False)
    except ValueError as error:
        raise click.UsageError(f"{error}".rstrip(".") + ".") from None
    with server, closing(setup.open_backend()) as backend:
        vendor = VENDORS.get(name, VendorCalls())
        if getattr(backend, "reference_quality", False):
            # With this setting, the vendor charges each call for one more image.
            vendor = attrs.evolve(vendor, charges=vendor.charges + 1)
        claims = server.world.claims
        size_limit: int = claims[vendor.size_limit] if vendor.size_limit else 0
        capabilities = backend.capabilities
        pictures = [image.prepared(capabilities.image_limits) for image in images]
        has_sessions = not vendor.sessions_need or getattr(backend, vendor.sessions_need)
        sessions = backend.session_capabilities if has_sessions else None
        public_words = _find_public_words(name)
        files = make_files(pictures, size_limit, vendor.rejected_type)
        run = _Run(
            document={
                "kind": "facematch-parity",
                "schema": 2,
                "facematch": __version__,
                "vendor": name,
                "environment": next(iter(backend.environments), None),
                "behaviour": list(options["switch"]),
            },
            out=out,
            recorder=Recorder(backend, vendor, public_words, files),
            pictures=pictures,
            first_steps=steps_of(vendor, capabilities.operations, sessions),
            last_steps=last_steps_of(sessions),
            claims=claims,
        )
        run.show_plan()
        confirm("Make these calls?", yes=options["yes"])
        budget = sum(step.may_be_charged for step in run.steps) * vendor.charges
        if options["budget"] is not None:
            budget = min(budget, options["budget"])
        with StopSignals() as signals:
            run.call_vendor(budget, signals.check)
            mock = server.of(name)
            with closing(_open_twin(backend, vendor, mock)) as twin:
                run.call_mock(Recorder(twin, vendor, public_words, files, mock.control))
            run.show_end()
    if run.differences:
        return Exit.NO
    return Exit.LOOK if run.document["nothing_seen"] else Exit.OK


@attrs.define(kw_only=True)
class _Run:
    """One comparison of a vendor with its mock, and its record."""

    document: dict[str, Any]  # the record
    out: Path
    recorder: Recorder
    pictures: Sequence[Image]
    first_steps: tuple[Step, ...]
    last_steps: tuple[Step, ...]  # made even if one of the first failed
    claims: Any  # of the mock
    differences: list[Comparison] = attrs.field(factory=list)

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.first_steps + self.last_steps

    def show_plan(self) -> None:
        """Print the planned calls, their host, and their maximum cost."""
        vendor = self.document["vendor"]
        host = host_of(self.recorder.backend.service_url)
        say(f"{vendor} at {host}, environment: {self.document['environment'] or 'not said'}")
        say(f"compared with its mock, switches: {' '.join(self.document['behaviour']) or 'none'}")
        max_charges = self.recorder.vendor.charges
        max_total = 0
        claimed_total = 0
        rows: list[tuple[str, str, str, str]] = []
        for step in self.steps:
            charges = max_charges if step.may_be_charged else 0
            claimed_charges = max_charges if step.is_charged_by_claims else 0
            max_total += charges
            claimed_total += claimed_charges
            rows.append((step.name, step.sentence, str(charges), str(claimed_charges)))
        print_table(("call", "request", "maximum charges", "by the claims"), rows)
        say(f"at most {max_total} charges; by the mock's claims at most {claimed_total}.")
        pictures = "No picture is sent."
        if self.recorder.backend.capabilities.operations:
            pictures = (
                "The pictures are sent to this host with a request to store nothing; nobody is "
                "enrolled."
            )
        say(
            f"{pictures} Sessions are not completed, and deleted if the vendor supports it. The "
            "profile's budget does not apply: set one with --budget."
        )
        for key in ("credit.price", "credit.price.match", "credit.price.liveness"):
            if key in self.claims:
                say(f"one charge: {self.claims[key]} USD, from the claim {vendor}.{key}")

    def call_vendor(self, budget: int, check: Callable[[], None]) -> None:
        """Make the calls, and write their record even if one of them ends the run."""
        try:
            run_steps(self.recorder, self.first_steps, budget, check)
        finally:
            # From here on, no signal interrupts the run.
            try:
                delete_sessions(self.recorder, self.last_steps, budget)
            finally:
                calls = self.recorder.calls
                environments = {call.environment for call in calls.values() if call is not None}
                environments.add(self.document["environment"])
                self.document |= {
                    "rehearsal": Environment.MOCK in environments,
                    "charges": count_max_charges(calls.values(), self.recorder.vendor.charges),
                    "differences": None,
                    "nothing_seen": explain_unseen(self.steps, calls)
                    | self.recorder.failed_extra_requests,
                    "claims": [],
                    "calls": {step.name: _describe(calls.get(step.name)) for step in self.steps},
                }
                # Written before comparing, so that the paid calls are not lost.
                self.write()

    def call_mock(self, twin: Recorder) -> None:
        """Repeat the calls with the mock, and write the differences."""
        pairs = ask_mock(twin, self.steps, self.recorder.calls)
        cited: set[str] = set()
        for pair in pairs:
            for reply in pair.mock_call.replies:
                cited.update(reply.claims)
        vendor = self.document["vendor"]
        self.differences = compare(pairs)
        self.document["differences"] = [attrs.asdict(row) for row in self.differences]
        self.document["claims"] = sorted(key for key in cited if key.startswith(f"{vendor}."))
        self.write()

    def write(self) -> None:
        """Write the record if a call was made. Raises if it would contain private data."""
        if not self.recorder.calls:
            return
        if is_private(self.document, self.recorder.secrets, self.pictures):
            raise ConfigurationError(
                "The record would contain a key, an id or part of a picture, so it was not "
                "written. Please report this."
            )
        write_json(self.out, self.document)

    def show_end(self) -> None:
        """Print the differences, and what was not compared."""
        for difference in self.differences:
            _show_difference(difference)
        unseen = self.document["nothing_seen"]
        if unseen:
            reasons = [f"{call} ({reason})" for call, reason in unseen.items()]
            say(f"not compared: {', '.join(reasons)}")
        # Sessions of a vendor that cannot delete them expire.
        remaining = find_remaining(self.recorder, self.steps) if self.last_steps else ()
        for start in remaining:
            say(f"The session of the call {start} may still exist at the vendor: delete it there.")
        vendor = self.document["vendor"]
        claims = [claim for claim in self.claims.claims if claim.vendor == vendor]
        covered = len(self.document["claims"])
        say(f"These calls covered {covered} of the mock's {len(claims)} claims.")
        calls = self.recorder.calls
        say(f"made {len(calls)} calls, with at most {self.document['charges']} charges.", err=True)
        if calls:
            say(f"The record is {self.out}: read it before you share it.")


def _describe(call: RecordedCall | None) -> dict[str, Any]:
    if call is None:
        return {"state": "not made, or started but not finished"}
    return call.as_document()


def _show_difference(difference: Comparison) -> None:
    aspect_name, space, path = difference.aspect.partition(" ")
    aspect = difference.aspect
    if space and aspect_name != "header":
        # The aspect belongs to a path in the reply.
        aspect = path or "body"
    calls = ", ".join(difference.calls)
    if len(difference.calls) > 3:
        calls = f"{difference.calls[0]} and {len(difference.calls) - 1} more"
    say(f"{calls}: {aspect} {_quote(difference.mock)} -> {_quote(difference.vendor)}")


def _quote(value: object) -> str:
    if isinstance(value, list):
        value = " or ".join(map(str, value)) or None
    return "nothing" if value is None else str(value)


def _find_public_words(name: str) -> frozenset[str]:
    """Return the words in a mock's source, which are public because it names no people."""
    module: Any = sys.modules[vendor_named(name).behaviour.__module__]
    file = Path(module.__file__)
    files = file.parent.glob("*.py") if module.__package__ else (file,)
    return find_words(each.read_text("utf-8") for each in files)


def _open_twin(backend: Any, vendor: VendorCalls, mock: Any) -> Any:
    """Return a copy of the backend with the mock's address and keys."""
    keys: dict[str, str] = {}
    for setting, value in attrs.asdict(backend, recurse=False).items():
        if setting in vendor.keys:
            keys[setting] = getattr(mock, vendor.keys[setting])
        elif isinstance(value, Secret) and not vendor.keys:
            keys[setting] = mock.live_key
    if Environment.SANDBOX in backend.environments and mock.sandbox_key:
        keys = dict.fromkeys(keys, mock.sandbox_key)
    # The profile's proxy and certificates have no effect on loopback, so they are not reset.
    return attrs.evolve(backend, **vendor.settings, **keys, base_url=mock.url)
