"""The commands `facematch compare shadow` and `drift`, which read a call log, and `review`."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
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
)
from facematch_core.cli.options import FILE, file_option, join_options, json_option, parse_pairs
from facematch_core.cli.text import Exit, print_json, print_table, say
from facematch_core.errors import InvalidRequest
from facematch_core.models import Operation

from . import common
from .list_prices import with_list_prices

if TYPE_CHECKING:
    from pandas import DataFrame

    from facematch_comparison.production.calls import Selection
    from facematch_comparison.production.labels.reviewers import AgreedLabels
    from facematch_comparison.production.shadow import ShadowComparison, Sides

CALL_LOG: Final = DatabaseKind(
    noun="call log", tables=["facematch_call_log"], advice="A `CallLog` creates one."
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
    "accepted; read if it exists, and never overwritten. Repeat it for each person who labels: a "
    "further file that is missing is written with the calls on which they contradict each other.",
    to="reviews",
    multiple=True,
)
@common.text_option(
    "--agreements",
    "N",
    "Also put N drawn agreements into a new --review: both may be wrong.",
    type=click.IntRange(0),
    default=0,
)
@file_option(
    "--refs",
    "Your own references (.csv, column caller_ref), to name them in a new --review.",
)
@file_option("--key-file", "The key of the log, on the first line; with --refs.", to="key_file")
@common.cost_options("USD")
@common.repeated(
    "--price",
    "prices",
    "NAME=AMOUNT",
    "Price of one call of this system, with all its charges (such as 3 transactions), or the word "
    "list for its vendor's list price.",
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
    reviews = _reviews_of(options)
    costs = common.costs_of(options, options["currency"])
    amounts = with_list_prices(
        options["prices"], currency=options["currency"], what=options["operation"]
    )
    prices = common.numbers_of("--price", amounts)
    from facematch_comparison.production.labels.review import LABEL_COLUMNS
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
    labels = _read_reviews(reviews.labelled, selection.operation)
    reference_of_person = None
    if options["refs"] is not None:
        reference_of_person = _read_references(options["refs"], options["key_file"], address)
    comparison = with_sentences(
        compare_sides(
            sides,
            selection,
            log=_name_of(log),
            made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
            labels=labels,
            costs=costs,
            prices=prices,
        )
    )
    if reviews.new is not None:
        _write_review(reviews.new, sides, labels, options, reference_of_person)
    if as_json:
        print_json(comparison.to_dict())
    else:
        _show_shadow(comparison)
    common.write_outs(outs, lambda: shadow_html(comparison), comparison.to_dict())
    _say_written(outs, as_json=as_json)
    if reviews.new is not None:
        column = LABEL_COLUMNS[selection.operation]
        say(f"written to {reviews.new}: fill in {column} from the top: yes, no or ?", err=as_json)
        say("then run the same command again", err=as_json)
    return Exit.OK if comparison.net else Exit.LOOK


@click.command("review")
@click.argument("review_file", metavar="FILE", type=FILE)
@file_option(
    "--pictures",
    "The folder of the pictures, each named by its call: CALL/selfie.jpg, or CALL-1.jpg.",
    metavar="FOLDER",
    required=True,
)
def review(*, review_file: Path, pictures: Path) -> int:
    """Label the calls of a review file on a page in your browser.

    \b
    facematch compare shadow calls.sqlite3 --review review.csv
    facematch compare review review.csv --pictures pictures/

    FILE is a file that `compare shadow --review` has written. The page shows one call at a time, in
    the random order of the file, and not who accepted it. Keys: y, n and ?. Each answer is written
    into FILE at once, so you may stop anywhere, and go on later. The page is served on this machine
    only, at an address that nobody can guess; no picture is stored or sent elsewhere. Ctrl-C ends
    it.
    """
    from facematch_comparison.production.labels.desk import Desk

    refuse_unwritable("FILE", review_file, may_exist=True)
    desk = Desk(review_file, pictures)
    calls = len(desk.sheet.rows)
    if desk.without_pictures:
        common.note(f"{desk.without_pictures:,} of {calls:,} calls have no picture in {pictures}.")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with desk, contextlib.suppress(KeyboardInterrupt):
        say(f"{desk.sheet.labelled:,} of {calls:,} calls have an answer: open {desk.url}")
        say("end with Ctrl-C")
        # Wait in short steps, because on Windows a signal does not interrupt a wait for a lock.
        while not ended.wait(0.2):
            pass
    say(f"{review_file}: {desk.sheet.labelled:,} of {calls:,} calls have an answer")
    return Exit.OK


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
    enough results, by its shares of accepted and inconclusive results and of errors. It says that
    answers moved, never that a vendor got worse: other people have the same effect. The exit code
    is 3 if something moved. Quantiles of the scores are in the JSON.
    """
    _check_outs(outs)
    from facematch_comparison.production.drift import Span, measure_drift
    from facematch_comparison.production.drift_sentences import period_rows, with_sentences
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
        )
    )
    if as_json:
        print_json(measured.to_dict())
    else:
        say(measured.headline)
        say()
        _print_rows(period_rows(measured))
        say()
        for caveat in measured.caveats:
            say(f"note: {caveat}")
    common.write_outs(outs, lambda: drift_html(measured), measured.to_dict())
    _say_written(outs, as_json=as_json)
    has_moved = any(change.is_real for period in measured.periods for change in period.changes)
    return Exit.LOOK if has_moved else Exit.OK


def _check_outs(outs: Iterable[Path]) -> None:
    for path in outs:
        form_of("--out", path, *common.OUT_FORMS)
        refuse_unwritable("--out", path, may_exist=True)


def _say_written(outs: Iterable[Path], *, as_json: bool) -> None:
    for path in outs:
        say(f"written to {path}", err=as_json)


def _reviews_of(options: Mapping[str, Any]) -> common.Reviews:
    """Return the review files; raise `click.UsageError` for options that do not fit to them."""
    reviews = common.split_reviews(options["reviews"])
    if (options["refs"] is None) is not (options["key_file"] is None):
        raise click.UsageError("--refs and --key-file go together.")
    for name in ("agreements", "refs"):
        if options[name] and reviews.new is None:
            raise click.UsageError(f"--{name} needs a --review file that does not exist yet.")
    if options["agreements"] and reviews.labelled:
        raise click.UsageError(
            "--agreements needs a review file of its own: drawn agreements must be a random sample."
        )
    return reviews


def _name_of(log: str) -> str:
    """Return the name of a log without its folder, and without a server's address."""
    return log.partition("?")[0].rpartition("/")[2]


def _read_table(address: str, selection: Selection) -> DataFrame:
    from facematch_comparison.production.calls import table_of
    from facematch_core.call_log import read_call_columns

    return read_call_columns(address, table_of, selection.since, selection.until)


def _selection_of(options: Mapping[str, Any]) -> Selection:
    from facematch_comparison.production.calls import Selection

    times = {}
    for name in ("since", "until"):
        time = options[name]
        times[name] = None if time is None else time.replace(tzinfo=dt.UTC)
    return Selection(operation=Operation(options["operation"]), **times)


def _write_review(
    review: Path,
    sides: Sides,
    labels: AgreedLabels | None,
    options: Mapping[str, Any],
    reference_of_person: Mapping[str, str] | None,
) -> None:
    """Write the file of calls to label, which only its owner can read."""
    from facematch_comparison.production.labels.review import draw_calls, review_as_csv

    question, chosen = sides.choose_calls(labels)
    if not chosen.any() and not options["agreements"]:
        if labels is not None:
            raise InvalidRequest(
                f"There is nothing to write to {review}: the reviewers do not contradict each "
                "other."
            )
        raise InvalidRequest("The systems never disagreed: there is nothing to review.")
    drawn = draw_calls(sides.compared, chosen, agreements=options["agreements"])
    # Another command may have written it since: somebody's labels may be in it.
    refuse_unwritable("--review", review, may_exist=False)
    review_text = review_as_csv(drawn, question, reference_of_person)
    write_bytes(review, review_text.encode(), private=True)
    if reference_of_person is not None:
        unknown_count = int((~drawn["person"].isin(reference_of_person)).sum())
        if unknown_count:
            common.note(f"{unknown_count:,} calls of the review are of nobody in --refs.")


def _read_references(refs: Path, key_file: Path, address: str) -> dict[str, str]:
    """Return the caller's own reference of each person, by the digest of the log."""
    from facematch_core.call_log import CallLog

    rows = read_csv(refs, needed=("caller_ref",), so="nothing was written")
    reference_of_person: dict[str, str] = {}
    with CallLog(address, key=Secret.from_file(key_file)) as log:
        for row in rows:
            reference = row.cells["caller_ref"]
            reference_of_person[log.digest(reference)] = reference
    return reference_of_person


def _read_reviews(reviews: Sequence[Path], operation: Operation) -> AgreedLabels | None:
    """Return the labels of the files, or None without a file."""
    from facematch_comparison.production.labels.review import (
        FIXED_COLUMNS,
        LABEL_COLUMNS,
        read_labels,
    )
    from facematch_comparison.production.labels.reviewers import agree

    label = LABEL_COLUMNS[operation]
    files = []
    for review in reviews:
        rows = read_csv(review, needed=FIXED_COLUMNS, optional=(label,), so="nothing was read")
        cells_by_line = [(row.line, row.cells) for row in rows]
        files.append(read_labels(cells_by_line, str(review), operation))
    return agree(files) if files else None


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
    for finding in comparison.findings:
        say()
        say(finding)
    say()
    say("What these calls cannot show:")
    for caveat in comparison.caveats:
        say(f"note: {caveat}")


def _print_rows(rows: list[dict[str, str]]) -> None:
    """Print a table without its empty columns."""
    titles = [title for title in rows[0] if any(row[title] for row in rows)]
    print_table(titles, [[row[title] or "-" for title in titles] for row in rows])
