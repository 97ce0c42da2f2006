"""One contender, asked about one pair after the other by several threads of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ._records import Claim, Outcome
from ._turn import Turn

#: Pairs that a thread takes at a time where nothing is charged and nothing leaves the machine; a
#: call that may be charged is claimed by itself, so that as little as possible is in doubt.
AT_A_TIME: Final = 16


def ask_pairs(turn: Turn, workers: int) -> None:
    """Ask about every free pair, until there is none or the turn is over."""
    name = f"facematch-{turn.stored.name}"
    with ThreadPoolExecutor(workers, thread_name_prefix=name) as pool:
        threads = [pool.submit(_work, turn) for _ in range(workers)]
    for thread in threads:
        thread.result()


def _work(turn: Turn) -> None:
    count = 1 if turn.contender.is_careful else AT_A_TIME
    while not turn.is_over:
        claims = turn.claim(count)
        if not claims and not turn.recover():
            return
        ended: list[tuple[Claim, Outcome]] = []
        begun: set[Claim] = set()
        try:
            for claim in claims:
                if turn.is_over:
                    break
                begun.add(claim)
                outcome = turn.ask(claim)
                if outcome is not None:
                    ended.append((claim, outcome))
        finally:
            turn.finish(claims, ended, begun)
