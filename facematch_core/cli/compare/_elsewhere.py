"""From --scheduler to who embeds the pictures of which contender."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from facematch_core.cli.common import clean, counted, say

if TYPE_CHECKING:
    from facematch_core.comparison.running import Cluster, StudyRun


@contextlib.contextmanager
def embedders_at(scheduler: str | None, run: StudyRun) -> Iterator[dict[str, Cluster]]:
    """The cluster under the name of each contender that embeds; all others are asked from here.

    Args:
        scheduler: Address of a Dask scheduler; None for no cluster at all.
        run: Opened; nothing was sent.

    Raises:
        click.UsageError: no contender's pictures can be embedded elsewhere.
        ConfigurationError: Dask is not installed, or no scheduler answers there.
    """
    if scheduler is None:
        yield {}
        return
    reasons = run.why_not_embedded
    names = [name for name, why in reasons.items() if why is None]
    if not names:
        told = "; ".join(f"{clean(name)}: {why}" for name, why in reasons.items())
        raise click.UsageError(
            f"--scheduler is for engines of your own, and none of these is one ({told})."
        )
    from facematch_core.comparison.running import Cluster

    with Cluster(scheduler) as cluster:
        _tell(cluster, names)
        yield dict.fromkeys(names, cluster)


def _tell(cluster: Cluster, names: list[str]) -> None:
    """Print to stderr where pictures go."""
    workers = cluster.workers
    how = "encrypted" if cluster.is_encrypted else "not encrypted"
    where = "on this machine" if cluster.is_here else how
    say(
        f"pictures for {', '.join(names)} go to {counted(len(workers), 'Dask worker')} with "
        f"{counted(sum(workers.values()), 'thread')} at {cluster.address} ({where})",
        err=True,
    )
