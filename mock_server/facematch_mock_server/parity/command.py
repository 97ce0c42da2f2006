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
from facematch_core.cli.files import refuse_unwritable, write_json
from facematch_core.cli.options import Target, file_option
from facematch_core.cli.text import Exit, confirm, print_table, quantity, say
from facematch_core.http.transport import host_of
from facematch_mock_server.cli import read_pairs
from facematch_mock_server.server import MockServer, Served
from facematch_mock_server.vendors import vendor_named, vendor_names

from .aspects import find_words, is_private
from .calls import VENDORS, VendorCalls, deletion_steps_of, steps_of
from .differences import Comparison, compare
from .mock_calls import ask_mock
from .recording import Recorder, make_files
from .running import StopSignals, delete_sessions, explain_unseen, find_remaining, run_steps

_PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _OneOfTwoPictures(click.Path):
    """The file of one of two pictures. click takes the next option for the second, if it lacks."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if str(value).startswith("--"):
            self.fail(
                f"two pictures of one person are needed, but {value} follows the first.", param, ctx
            )
        return super().convert(value, param, ctx)


_TWO_PICTURES = _OneOfTwoPictures(exists=True, dir_okay=False, path_type=Path)


@click.command("parity", short_help="Compare a vendor with its mock, call by call.")
@click.argument("profile")
@click.option(
    "--same",
    nargs=2,
    type=_TWO_PICTURES,
    metavar="FILE FILE",
    required=True,
    help="Two pictures of one person.",
)
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
    refuse_unwritable("--out", out, may_exist=False)
    images = [Image.read(path) for path in (*options["same"], options["other"])]
    switches = options["switch"]
    try:
        server = MockServer(vendor=name, switches=read_pairs("switch", switches), control=False)
    except ValueError as error:
        raise click.UsageError(f"{error}".rstrip(".") + ".") from None
    with server, closing(setup.open_backend()) as backend:
        run = _Run(backend=backend, mock=server.of(name), images=images, switches=switches, out=out)
        run.show_plan()
        confirm("Make these calls?", yes=options["yes"])
        max_charges = run.max_charges
        if options["budget"] is not None:
            max_charges = min(max_charges, options["budget"])
        with StopSignals() as signals:
            run.call_vendor(max_charges, signals.stop_if_asked)
            run.call_mock()
            run.show_end()
    if run.differences:
        return Exit.NO
    return Exit.LOOK if run.find_unseen() else Exit.OK


class _Run:
    """One comparison of a vendor with its mock, and its record.

    Attributes:
        differences: The differences; None before the comparison.
    """

    def __init__(
        self,
        *,
        backend: Any,
        mock: Served,
        images: Sequence[Image],
        switches: Sequence[str],
        out: Path,
    ) -> None:
        self.differences: list[Comparison] | None = None
        self._mock = mock
        self._switches = switches
        self._out = out
        self._environment = next(iter(backend.environments), None)
        self._claims = mock.control.world.claims
        # The vendor's claims that the mock cited.
        self._cited: set[str] = set()
        vendor = VENDORS.get(backend.name, VendorCalls())
        if getattr(backend, "reference_quality", False):
            # With this setting, the vendor charges each call for one more image.
            vendor = attrs.evolve(vendor, charges=vendor.charges + 1)
        size_limit = self._claims[vendor.size_limit] if vendor.size_limit else 0
        self._pictures = [image.prepared(backend.capabilities.image_limits) for image in images]
        files = make_files(self._pictures, size_limit, vendor.rejected_type)
        self._recorder = Recorder(backend, vendor, _find_public_words(backend.name), files)
        setting = vendor.setting_for_sessions
        has_sessions = not setting or getattr(backend, setting)
        sessions = backend.session_capabilities if has_sessions else None
        self._first_steps = steps_of(vendor, backend.capabilities.operations, sessions)
        # Made even if one of the first failed.
        self._deletion_steps = deletion_steps_of(sessions)
        self._steps = self._first_steps + self._deletion_steps

    @property
    def max_charges(self) -> int:
        """The maximum number of charges of all calls."""
        return self._recorder.vendor.charges * sum(step.may_be_charged for step in self._steps)

    def show_plan(self) -> None:
        """Print the planned calls, their host, and their maximum cost."""
        backend = self._recorder.backend
        host = host_of(backend.service_url)
        say(f"{backend.name} at {host}, environment: {self._environment or 'not said'}")
        say(f"compared with its mock, switches: {' '.join(self._switches) or 'none'}")
        charges = self._recorder.vendor.charges
        claimed_total = 0
        rows: list[tuple[str, str, str, str]] = []
        for step in self._steps:
            max_charges = charges if step.may_be_charged else 0
            claimed_charges = charges if step.is_charged_by_claims else 0
            claimed_total += claimed_charges
            rows.append((step.name, step.sentence, str(max_charges), str(claimed_charges)))
        print_table(("call", "request", "maximum charges", "by the claims"), rows)
        say(f"at most {self.max_charges} charges; by the mock's claims at most {claimed_total}.")
        pictures = "No picture is sent."
        if backend.capabilities.operations:
            pictures = (
                "The pictures are sent to this host with a request to store nothing; nobody is "
                "enrolled."
            )
        say(
            f"{pictures} Sessions are not completed, and deleted if the vendor supports it. The "
            "profile's budget does not apply: set one with --budget."
        )
        for key in ("credit.price", "credit.price.match", "credit.price.liveness"):
            if key in self._claims:
                say(f"one charge: {self._claims[key]} USD, from the claim {backend.name}.{key}")

    def call_vendor(self, max_charges: int, stop_if_asked: Callable[[], None]) -> None:
        """Make the calls, and write their record even if one of them ends the run."""
        try:
            run_steps(self._recorder, self._first_steps, max_charges, stop_if_asked)
        finally:
            # From here on, no signal interrupts the run.
            try:
                delete_sessions(self._recorder, self._deletion_steps, max_charges)
            finally:
                # Written before comparing, so that the paid calls are not lost.
                self._write()
                self._show_calls()

    def call_mock(self) -> None:
        """Repeat the calls with the mock, and write the differences."""
        recorder = self._recorder
        vendor = recorder.vendor
        with closing(_open_twin(recorder.backend, vendor, self._mock)) as backend:
            twin = Recorder(
                backend, vendor, recorder.public_words, recorder.files, self._mock.control
            )
            pairs = ask_mock(twin, self._steps, recorder.calls)
        own_prefix = f"{self._mock.name}."
        for pair in pairs:
            for reply in pair.mock_call.replies:
                self._cited.update(key for key in reply.claims if key.startswith(own_prefix))
        self.differences = compare(pairs)
        self._write()

    def find_unseen(self) -> dict[str, str]:
        """Return the reason for everything that was not compared, by its name."""
        recorder = self._recorder
        return explain_unseen(self._steps, recorder.calls) | recorder.failed_extra_requests

    def _write(self) -> None:
        """Write the record if a call was made. Raises if it would contain private data."""
        recorder = self._recorder
        calls = recorder.calls
        if not calls:
            return
        environments = {call.environment for call in calls.values()} | {self._environment}
        differences = None
        if self.differences is not None:
            differences = [attrs.asdict(difference) for difference in self.differences]
        document: dict[str, Any] = {
            "kind": "facematch-parity",
            "schema": 2,
            "facematch": __version__,
            "vendor": recorder.backend.name,
            "environment": self._environment,
            "behaviour": list(self._switches),
            "rehearsal": Environment.MOCK in environments,
            "charges": recorder.count_max_charges(),
            "differences": differences,
            "nothing_seen": self.find_unseen(),
            "claims": sorted(self._cited),
            "calls": {step.name: {"state": "not made"} for step in self._steps},
        }
        for name, call in calls.items():
            document["calls"][name] = call.as_document()
        if is_private(document, recorder.secrets, self._pictures):
            raise ConfigurationError(
                "The record would contain a key, an id or part of a picture, so it was not "
                "written. Please report this."
            )
        write_json(self._out, document)

    def _show_calls(self) -> None:
        """Print what the calls may have cost and left at the vendor, and where their record is."""
        recorder = self._recorder
        made = quantity(len(recorder.calls), "call")
        charges = quantity(recorder.count_max_charges(), "charge")
        say(f"made {made}, with at most {charges}.", err=True)
        # Sessions of a vendor that cannot delete them expire.
        remaining = find_remaining(recorder, self._steps) if self._deletion_steps else ()
        for start in remaining:
            say(f"The session of the call {start} may still exist at the vendor: delete it there.")
        if recorder.calls:
            say(f"The record is {self._out}: read it before you share it.")

    def show_end(self) -> None:
        """Print the differences, and what was not compared."""
        for difference in self.differences or ():
            say(str(difference))
        unseen = self.find_unseen()
        if unseen:
            reasons = [f"{call} ({reason})" for call, reason in unseen.items()]
            say(f"not compared: {', '.join(reasons)}")
        claims = [claim for claim in self._claims.claims if claim.vendor == self._mock.name]
        say(f"These calls covered {len(self._cited)} of the mock's {len(claims)} claims.")


def _find_public_words(name: str) -> frozenset[str]:
    """Return the words in a mock's source, which are public because it names no people."""
    module: Any = sys.modules[vendor_named(name).behaviour.__module__]
    file = Path(module.__file__)
    files = file.parent.glob("*.py") if module.__package__ else (file,)
    return find_words(each.read_text("utf-8") for each in files)


def _open_twin(backend: Any, vendor: VendorCalls, mock: Served) -> Any:
    """Return a copy of the backend with the mock's address and keys."""
    settings = attrs.asdict(backend, recurse=False)
    changes: dict[str, Any] = {}
    for setting, value in settings.items():
        if setting in vendor.keys:
            changes[setting] = getattr(mock, vendor.keys[setting])
        elif isinstance(value, Secret) and not vendor.keys:
            changes[setting] = mock.live_key
    if Environment.SANDBOX in backend.environments and mock.sandbox_key:
        changes = dict.fromkeys(changes, mock.sandbox_key)
    if "environment" in settings:
        changes["environment"] = Environment.MOCK
    # The profile's proxy and certificates have no effect on loopback, so they are not reset.
    return attrs.evolve(backend, **vendor.settings, **changes, base_url=mock.url)
