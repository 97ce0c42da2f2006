"""`facematch mock --record`: the checks before the first call, and what is said at the end."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import click

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.replies.recorder import Recorder
from facematch_mock_server.replies.recording_file import RecordingFile
from facematch_mock_server.replies.upstream import Upstream
from facematch_mock_server.replies.vocabulary import Vocabulary
from facematch_mock_server.vendors import UNKNOWN, vendor_named
from facematch_mock_server.world.vendor import Vendor


def open_recorder(
    record: Path,
    vendors: Sequence[Vendor],
    *,
    upstream_url: str | None,
    max_calls: int,
    keep: Collection[str],
    hide: Collection[str],
) -> Recorder:
    """Create the file `record` and return the recorder. Raises `click.UsageError`."""
    if upstream_url is None and not any(vendor.hosts for vendor in vendors):
        raise click.UsageError(
            "The vendor has no host of its own: give the URL of your server with --upstream, and "
            "leave out --door."
        )
    names = [vendor.name for vendor in vendors]
    is_known = names != [UNKNOWN]
    vocabulary = Vocabulary.read(sources_of(vendors) if is_known else ())
    try:
        upstream = Upstream(upstream_url)
        recording = RecordingFile(
            record,
            vocabulary,
            show_host=functools.partial(_show_host, names, vocabulary.texts),
            is_known=is_known,
            kept_names=keep,
            hidden_names=hide,
        )
    except FileExistsError:
        raise click.UsageError(f"{record} exists: name a new file for --record.") from None
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be used: {error.strerror}.") from None
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    return Recorder(recording, upstream, max_calls, _say)


def warn_of_calls(recorder: Recorder, vendors: Sequence[Vendor], upstream: str | None) -> None:
    """Say that calls go to real vendors."""
    hosts = upstream or ", ".join(sorted(host for vendor in vendors for host in vendor.hosts))
    charges = "The vendor may charge each. " if may_charge(vendors) else ""
    _say(
        f"REAL CALLS: up to {recorder.max_calls} calls go to {hosts}, with the program's own keys "
        f"and pictures. {charges}Nothing is imitated."
    )


def may_charge(vendors: Sequence[Vendor]) -> bool:
    """Return whether a call may cost something: a server of one's own charges nothing."""
    return any(vendor.hosts for vendor in vendors)


def end_recording(recorder: Recorder, vendors: Sequence[Vendor]) -> None:
    """Say what was recorded, and which names were kept or hidden."""
    # The program has ended, so nobody waits for an answer.
    recorder.close()
    recording = recorder.recording
    calls = "Calls that may be charged" if may_charge(vendors) else "Calls"
    for sentence in recording.left_out:
        _say(sentence)
    if not len(recording):
        recording.remove_if_empty()
        _say(f"No call was recorded. {calls}: {recorder.calls}.")
        return
    if recording.kept:
        _say(f"Names that no source has (--hide NAME): {', '.join(recording.kept)}")
    if recording.hidden:
        _say(f"Hidden, because a value has them (--keep NAME): {', '.join(recording.hidden)}")
    _say(f"Recorded in {recording.path}. {calls}: {recorder.calls}. Read it before you share it.")


def _show_host(vendors: Collection[str], public: Collection[str], host: str) -> str | None:
    """Return what may be written of a host; None if it is no vendor's and not this machine's."""
    if is_loopback(host):
        return host
    label, _, domain = host.partition(".")
    for name in vendors:
        # The vendor's own hosts, without those that --door-host added.
        hosts = vendor_named(name).hosts
        if host in hosts or (f"*.{domain}" in hosts and label in public):
            return host
        if f"*.{domain}" in hosts:
            return f"customer.{domain}"
    return None


def sources_of(vendors: Iterable[Vendor]) -> Iterator[Path]:
    """Yield the Python and JSON files of the vendors' mocks, and of what the mocks share."""
    for vendor in vendors:
        module = sys.modules[vendor.behaviour.__module__]
        file = Path(str(module.__file__))
        # A plug-in may be one module among others.
        yield from file.parent.rglob("*.py") if module.__package__ else [file]
        yield from file.parent.rglob("*.json") if module.__package__ else ()
    shared = Path(str(sys.modules[vendor_named.__module__].__file__))
    yield from shared.parent.glob("*.py")


_say: Callable[[str], None] = functools.partial(click.echo, err=True)
