"""The commands `facematch compare shadow` and `drift`, which read a call log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from facematch_core.base.masking import Secret
from facematch_core.cli.files import (
    DatabaseKind,
    form_of,
    read_csv,
    refuse_unwritable,
    write_bytes,
    write_json,
)
from facematch_core.cli.options import FILE, file_option, join_options, json_option, parse_pairs
from facematch_core.cli.text import Exit, print_json, print_table, say
from facematch_core.errors import InvalidRequest
from facematch_core.models import Operation

from . import common

if TYPE_CHECKING:
    from pandas import DataFrame

    from facematch_comparison.production.calls import Selection
    from facematch_comparison.production.review import Labels
    from facematch_comparison.production.shadow import ShadowComparison, Sides

#: Formats of --out; the first one is the default if the file name has no suffix.
_OUT_FORMS: Final = (".html", ".json")

CALL_LOG: Final = DatabaseKind(
    noun="call log", table="facematch_call_log", advice="A `CallLog` creates one."
)

_TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])

#: The options of both commands.
_log_options = join_options(
    click.argument("log", metavar="LOG"),
    click.option(
        "--operation",
        type=click.Choice([Operation.MATCH.value, Operation.LIVENESS.value]),
        default=Operation.MATCH.value,
        help="The operation.",
    ),
    click.option("--since", type=_TIME, metavar="DATE", help="Only calls from this date on, UTC."),
    click.option("--until", type=_TIME, metavar="DATE", help="Only calls before this date, UTC."),
    click.option(
        "--review-counts-as",
        "review_counts_as",
        type=click.Choice(["reject", "accept"]),
        default="reject",
        help="What a REVIEW is, beside MATCH or LIVE, which are accepted.",
    ),
    common.confidence_option("Confidence of every interval."),
    common.repeated("--out", "outs", "FILE", "Write a page (.html) or JSON (.json).", type=FILE),
    json_option,
)


@click.command("shadow")
@_log_options
@common.text_option("--answered", "NAME", "The system that answered, if the log has several.")
@common.text_option("--candidate", "NAME", "The system in the shadow, if the log has several.")
@file_option(
    "--review",
    "The file of disagreements (.csv). Written if it is missing, in random order and without who "
    "accepted; read if it exists, and never overwritten.",
)
@common.text_option(
    "--agreements",
    "N",
    "Also put N drawn agreements into a new --review: both may be wrong.",
    type=click.IntRange(0),
    default=0,
)
@file_option(
    "--refs", "Your own references (.csv, column caller_ref), to name them in a new --review."
)
@file_option("--key-file", "The key of the log, on the first line; with --refs.", to="key_file")
@common.cost_options("USD")
@common.repeated(
    "--price",
    "prices",
    "NAME=AMOUNT",
    "Price of one call of this system, with all its charges (Azure: 3 transactions).",
    callback=parse_pairs,
)
def shadow(*, log: str, outs: tuple[Path, ...], as_json: bool, **options: Any) -> int:
    """Compare the vendor that answers with the candidate in its shadow.

    \b
    facematch compare shadow calls.sqlite3 --review review.csv
    # a person fills in the column same_person, from the top: yes, no or ?
    facematch compare shadow calls.sqlite3 --review review.csv \\
      --cost-false-match 50 --cost-false-reject 2 --out shadow.html

    LOG is the call log of a `Shadow`: an SQLite file, or a URL. Without labels it shows how often
    both agree. Where they do, both are right or both are wrong, so labels of the disagreements are
    enough to see who makes fewer errors, and what that is worth. You may stop labelling anywhere.
    """
    _check_outs(outs)
    review = _review_of(options)
    costs = common.costs_of(options, options["currency"])
    prices = _amounts(options["prices"], "--price")
    from facematch_comparison.production.page import shadow_html
    from facematch_comparison.production.sentences import with_sentences
    from facematch_comparison.production.shadow import compare_sides, find_sides

    address = CALL_LOG.url_of(log)
    selection = _selection_of(options)
    sides = find_sides(
        _read_table(address, selection),
        selection,
        answered=options["answered"],
        candidate=options["candidate"],
        review_is_accepted=options["review_counts_as"] == "accept",
    )
    is_new = review is not None and not review.exists()
    labels = None
    if review is not None and is_new:
        _write_review(review, sides, options, address)
    elif review is not None:
        labels = _read_review(review, selection.operation)
    comparison = with_sentences(
        compare_sides(
            sides,
            selection,
            log=_name_of(log),
            made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
            labels=labels,
            review_file="" if review is None else review.name,
            costs=costs,
            prices=prices,
            confidence=options["confidence"],
        )
    )
    if as_json:
        print_json(comparison.to_dict())
    else:
        _show_shadow(comparison)
    _write_outs(outs, shadow_html(comparison), comparison.to_dict(), as_json=as_json)
    if is_new:
        column = _label_column(selection.operation)
        say(f"written to {review}: fill in {column} from the top: yes, no or ?", err=as_json)
        say("then run the same command again", err=as_json)
    return Exit.OK if comparison.net else Exit.LOOK


@click.command("drift")
@_log_options
@common.text_option("--system", "NAME", "The system, if the log has several.")
@click.option(
    "--by",
    type=click.Choice(["week", "month"]),
    default="week",
    help="The length of a period, UTC; weeks begin on Monday.",
)
def drift(*, log: str, outs: tuple[Path, ...], as_json: bool, **options: Any) -> int:
    """Show how the answers of one system change over time.

    \b
    facematch compare drift calls.sqlite3 --system didit --by month \\
      --out drift.html

    LOG is a call log: an SQLite file, or a URL. Each period is compared with the first one that has
    enough results: shares of accepted and inconclusive results and of errors, and quantiles of the
    scores. It says that answers moved, never that a vendor got worse: other people have the same
    effect. The exit code is 3 if something moved.
    """
    _check_outs(outs)
    from facematch_comparison.production.drift import Span, measure_drift
    from facematch_comparison.production.drift_sentences import period_cells, with_sentences
    from facematch_comparison.production.page import drift_html

    selection = _selection_of(options)
    measured = with_sentences(
        measure_drift(
            _read_table(CALL_LOG.url_of(log), selection),
            selection,
            log=_name_of(log),
            made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
            system=options["system"],
            span=Span(options["by"]),
            review_is_accepted=options["review_counts_as"] == "accept",
            confidence=options["confidence"],
        )
    )
    if as_json:
        print_json(measured.to_dict())
    else:
        say(measured.headline)
        say()
        _print_rows([period_cells(period) for period in measured.periods])
        say()
        for caveat in measured.caveats:
            say(f"note: {caveat}")
    _write_outs(outs, drift_html(measured), measured.to_dict(), as_json=as_json)
    changes = [change for period in measured.periods for change in period.changes]
    return Exit.LOOK if any(change.is_real for change in changes) else Exit.OK


def _check_outs(outs: Iterable[Path]) -> None:
    for path in outs:
        form_of("--out", path, *_OUT_FORMS)
        refuse_unwritable("--out", path, may_exist=True)


def _write_outs(outs: Iterable[Path], page: str, document: Any, *, as_json: bool) -> None:
    """Write the page or the JSON document to each file."""
    for path in outs:
        if form_of("--out", path, *_OUT_FORMS) == ".html":
            write_bytes(path, page.encode())
        else:
            write_json(path, document)
        say(f"written to {path}", err=as_json)


def _review_of(options: Mapping[str, Any]) -> Path | None:
    """Return the review file; raise `click.UsageError` for options that do not fit to it."""
    review: Path | None = options["review"]
    if review is not None:
        form_of("--review", review, ".csv")
        if not review.exists():
            refuse_unwritable("--review", review, may_exist=False)
    if (options["refs"] is None) is not (options["key_file"] is None):
        raise click.UsageError("--refs and --key-file go together.")
    for name in ("agreements", "refs"):
        if options[name] and review is None:
            raise click.UsageError(f"--{name} needs --review.")
    return review


def _name_of(log: str) -> str:
    """Return the name of a log without its folder, and without a server's address."""
    return log.partition("?")[0].rpartition("/")[2]


def _read_table(address: str, selection: Selection) -> DataFrame:
    from facematch_comparison.production.calls import table_of
    from facematch_core.call_log import read_call_log

    return table_of(read_call_log(address, selection.since, selection.until))


def _selection_of(options: Mapping[str, Any]) -> Selection:
    from facematch_comparison.production.calls import Selection

    times = {}
    for name in ("since", "until"):
        time = options[name]
        times[name] = None if time is None else time.replace(tzinfo=dt.UTC)
    return Selection(operation=Operation(options["operation"]), **times)


def _amounts(texts: Mapping[str, str], option: str) -> dict[str, float]:
    amounts = {}
    for name, text in texts.items():
        try:
            amounts[name] = float(text)
        except ValueError:
            raise click.UsageError(
                f"{option}: {text[:20]!r} is no amount, such as {name[:40]}=0.05."
            ) from None
    return amounts


def _write_review(review: Path, sides: Sides, options: Mapping[str, Any], address: str) -> None:
    """Write the file of calls to label, which only its owner can read."""
    from facematch_comparison.production.review import draw_calls, review_as_csv

    references = None
    if options["refs"] is not None:
        references = _references_of(options["refs"], options["key_file"], address)
    drawn = draw_calls(
        sides.compared,
        sides.disagrees,
        agreements=options["agreements"],
    )
    if drawn.empty:
        raise InvalidRequest("The systems never disagreed: there is nothing to review.")
    # Another command may have written it since: somebody's labels may be in it.
    refuse_unwritable("--review", review, may_exist=False)
    review_text = review_as_csv(drawn, sides.question, references)
    write_bytes(review, review_text.encode(), private=True)
    if references is not None:
        unknown_count = int((~drawn["person"].isin(references)).sum())
        if unknown_count:
            common.note(f"{unknown_count:,} calls of the review are of nobody in --refs.")


def _references_of(refs: Path, key_file: Path, address: str) -> dict[str, str]:
    """Return the callers' own references by digest."""
    from facematch_core.call_log import CallLog

    rows = read_csv(refs, needed=("caller_ref",), so="nothing was written")
    with CallLog(address, key=Secret.from_file(key_file)) as log:
        return {log.digest(row.cells["caller_ref"]): row.cells["caller_ref"] for row in rows}


def _read_review(review: Path, operation: Operation) -> Labels:
    from facematch_comparison.production.review import FIXED_COLUMNS, read_labels

    label = _label_column(operation)
    rows = read_csv(review, needed=FIXED_COLUMNS, optional=(label,), so="nothing was read")
    return read_labels([(row.line, row.cells) for row in rows], str(review), operation)


def _label_column(operation: Operation) -> str:
    from facematch_comparison.production.review import LABEL_COLUMNS

    return LABEL_COLUMNS[operation]


def _show_shadow(comparison: ShadowComparison) -> None:
    """Print the verdict, what each side did, the errors, and the caveats."""
    from facematch_comparison.production.page import error_rows, side_cells

    say(comparison.headline)
    say()
    rows = [side_cells(side) for side in (comparison.answered, comparison.candidate)]
    _print_rows(rows)
    if comparison.net:
        say()
        _print_rows(error_rows(comparison))
    say()
    say("What these calls cannot show:")
    for caveat in comparison.caveats:
        say(f"note: {caveat}")


def _print_rows(rows: list[dict[str, str]]) -> None:
    """Print a table without its empty columns."""
    titles = [title for title in rows[0] if any(row[title] for row in rows)]
    print_table(titles, [[row[title] or "-" for title in titles] for row in rows])
