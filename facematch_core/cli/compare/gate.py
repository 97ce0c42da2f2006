"""`facematch compare gate`: PASS, FAIL or INCONCLUSIVE."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core.cli import common
from facematch_core.cli.common import Exit, say
from facematch_core.comparison.gate import GateProfile, Outcome, Verdict, judge, read_profile

from ._sources import answers_from, evaluation_from, source_options

if TYPE_CHECKING:
    from facematch_core.comparison._document import Evaluation

#: Verdict to exit code.
CODES = {Outcome.PASS: Exit.OK, Outcome.FAIL: Exit.NO, Outcome.INCONCLUSIVE: Exit.LOOK}


@click.command("gate", short_help="PASS, FAIL or INCONCLUSIVE against a profile of requirements.")
@source_options
@click.option(
    "--report",
    type=common.FILE,
    metavar="JSON",
    help="Instead: what `compare report` wrote as JSON, for the FMR that the profile requires.",
)
@click.option(
    "--profile",
    required=True,
    metavar="NAME",
    help="The requirements: sp800-63a, or the file (.toml) of your own.",
)
@click.option(
    "--contender",
    "contenders",
    multiple=True,
    metavar="NAME",
    help="Judge this contender; may be repeated. By default all, and all must pass.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    metavar="N",
    help="Seed of the random split of people; 0 by default.",
)
@click.option(
    "--allow-mock",
    is_flag=True,
    help="Judge answers of a mock or a sandbox, which say nothing about a vendor.",
)
@common.as_json
def command(*, report: Path | None, profile: str, as_json: bool, **given: Any) -> int:
    """Hold contenders against a profile of requirements.

    \b
    facematch compare gate --store study.sqlite3 --profile sp800-63a
    facematch compare gate --scores scores.csv --profile our-door.toml --contender a

    PASS (exit code 0): the upper bounds of FMR and FNMR are within the limits, at one threshold
    that was chosen on other people. FAIL (1): a lower bound is beyond, and no other threshold
    would do. INCONCLUSIVE (3): neither; it says how many more comparisons would tell, at what
    price. Failures to acquire count as errors.
    """
    requirements = read_profile(profile)
    evaluation = _evaluation(report, requirements, given)
    verdict = judge(
        evaluation,
        requirements,
        contenders=given["contenders"],
        allow_mock=given["allow_mock"],
    )
    if as_json:
        common.print_json(verdict.to_dict())
    else:
        _show(verdict)
    return CODES[verdict.outcome]


def _evaluation(report: Path | None, profile: GateProfile, given: Any) -> Evaluation:
    places = [given["store"], given["study"], given["scores"]]
    if report is not None:
        if any(place is not None for place in places):
            raise click.UsageError("--report goes without --store, --study and --scores.")
        return evaluation_from(report)
    from facematch_core.comparison._evaluate import Asked, evaluate

    source = answers_from(*places)
    asked = Asked(
        required_fmr=profile.required_fmr,
        confidence=profile.evaluation_confidence,
        seed=given["seed"],
    )
    return evaluate(source.answers, asked, name=source.name, digest=source.digest)


def _show(verdict: Verdict) -> None:
    for one in verdict.contenders:
        say(f"{one.outcome.upper()}  {one.sentence}")
    profile = verdict.profile
    if len(verdict.contenders) > 1:
        say(f"{verdict.outcome.upper()}  all of them, by {profile.title}")
    for text in (profile.source, profile.leaves_out):
        if text is not None:
            say(text, hang=0, err=True)
