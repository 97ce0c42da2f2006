"""`facematch verify`: compare a pair of pictures, or every pair in a file (see `pairs.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from facematch_core.base.threads import DEFAULT_WORKERS, MAX_WORKERS
from facematch_core.errors import OutcomeUnknown
from facematch_core.models import Ids, Operation, Retention

from . import options
from .text import print_json

if TYPE_CHECKING:
    from facematch_core.call.events import CallEvent

    from ._results import Answer


@click.command("verify")
@click.argument("probe", required=False)
@click.argument("reference", required=False)
@click.option("--live", is_flag=True, help="First check PROBE for a live face, in an extra call.")
@click.option(
    "--liveness-threshold",
    type=float,
    metavar="0-100",
    help="With --live: minimum liveness score.",
)
@options.call_options
@options.file_option(
    "--pairs",
    "Compare every pair in a CSV file with the columns probe,reference[,key].",
    metavar="CSV",
)
@options.file_option(
    "--out", "With --pairs: file for the results, .jsonl or .csv; - for standard output."
)
@click.option(
    "--repeat",
    type=click.Choice([options.REPEAT_UNKNOWN, options.REPEAT_ALL]),
    help="With --pairs: repeat the unknown calls, which have no result and may have been charged; "
    "or all, and replace an existing --out file at the end.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    metavar=f"1-{MAX_WORKERS}",
    show_default=str(DEFAULT_WORKERS),
    help="With --pairs: maximum number of concurrent calls.",
)
@click.option("--yes", is_flag=True, help="With --pairs: do not ask before spending money.")
def command(probe: str | None, reference: str | None, **arguments: Any) -> int:
    """Check whether PROBE (the selfie) and REFERENCE (the document) show the same person.

    \b
    facematch verify selfie.jpg id.jpg --threshold 50
    facematch verify --pairs pairs.csv --out results.jsonl

    A mismatch is not an error; its exit code is 1. `facematch -h` lists all exit codes.

    With --pairs the command asks before it spends money. Stop or kill it at any time: the same
    command continues, and no answer is paid for twice. Calls and results are recorded in FILE.calls
    beside the --out file: keep both. With --repeat all or --out - every pair is asked.
    """
    if arguments["pairs"] is not None:
        for name, value in {
            "PROBE and REFERENCE": probe,
            "--live": arguments["live"],
            "--liveness-threshold": arguments["liveness_threshold"],
        }.items():
            if value:
                raise click.UsageError(f"{name} cannot be combined with --pairs.")
        if arguments["out"] is None:
            raise click.UsageError("--pairs requires --out FILE.")
        from .pairs import compare_pairs

        workers = arguments["workers"] or DEFAULT_WORKERS
        return compare_pairs(arguments, _call_options(arguments), workers=workers)
    for name in ("out", "repeat", "workers", "yes"):
        if arguments[name]:
            raise click.UsageError(f"--{name} needs --pairs.")
    if probe is None or reference is None:
        raise click.UsageError("Give two pictures, PROBE and REFERENCE, or --pairs.")
    if arguments["liveness_threshold"] is not None and not arguments["live"]:
        raise click.UsageError("--liveness-threshold needs --live.")
    method = "verify_live" if arguments["live"] else "verify"
    return make_one_call(method, [probe, reference], arguments)


def make_one_call(method: str, pictures: Sequence[str], arguments: Mapping[str, Any]) -> int:
    """Make one call, print its result, and return the exit code.

    Args:
        method: The method of `FaceVerifier` to call.
        pictures: The paths of the pictures.
        arguments: The options of the command.

    Raises:
        OutcomeUnknown: Ctrl-C ended the call after it began to send.
    """
    from facematch_core.call.bill import without_ground
    from facematch_core.images.image import Image

    from ._results import VERDICTS, show

    images = [Image.read(path) for path in pictures]
    operations = [Operation.LIVENESS] if method in ("check_liveness", "verify_live") else []
    events: list[CallEvent] = []
    try:
        target = options.Target.of(arguments)
        with target.open(*operations, on_event=events.append) as verifier:
            result: Answer = getattr(verifier, method)(*images, **_call_options(arguments))
    except KeyboardInterrupt:
        for event in events:
            if event.kind == "unknown":
                raise OutcomeUnknown(
                    "Stopped during the call.",
                    backend=event.backend,
                    ids=Ids(call=event.call_id),
                    billing=without_ground(may_be_charged=True),
                    reconcilable=bool(event.reconcilable),
                ) from None
        raise
    if arguments["as_json"]:
        print_json(result.to_dict())
    else:
        show(result)
    return VERDICTS[result.decision.value].code


def _call_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a call. The verifier checks the thresholds."""
    call_options: dict[str, Any] = {"retention": Retention.MINIMAL}
    if arguments["keep"]:
        call_options["retention"] = Retention.KEEP
    for name in ("threshold", "liveness_threshold", "caller_ref"):
        if arguments.get(name) is not None:
            call_options[name] = arguments[name]
    return call_options
