"""The bootstrap in the plain way: what the fast one must equal, and is measured against."""

import numpy as np

from facematch_core.comparison.metrics import draw


def plain_fnmr_at_fmr(scored, max_fmr, *, resamples, seed):
    """Repeat every score as often as its people were drawn, sort, count."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        drawn = draw(chance, scored.people)
        weights = drawn[scored.first]
        if scored.second is not None:
            weights = weights * drawn[scored.second]
        others = np.sort(np.repeat(scored.non_mated, weights))[::-1]
        mated = np.repeat(scored.mated, drawn[scored.mated_people])
        lost = int(drawn[scored.failures].sum())
        if not len(others) or not len(mated) + lost:
            found.append(np.nan)
            continue
        allowed = int(np.floor(max_fmr * len(others) * (1 + 1e-12)))
        highest = others[allowed] if allowed < len(others) else -np.inf
        refused = int(np.count_nonzero(mated <= highest)) + lost
        found.append(refused / (len(mated) + lost))
    return np.array(found)
