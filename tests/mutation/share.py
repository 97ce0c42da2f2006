"""How many mutants no test noticed, of those that were tried; `make mutation` ends with it.

    python tests/mutation/share.py STATISTICS

STATISTICS is what `mutmut export-cicd-stats` writes. The exit code is 1 if more than `SHARE` of
the mutants survived, or if none was tried.
"""

import json
import sys
from pathlib import Path

#: Most of what survives changes a sentence; more than that, and tests are missing.
SHARE = 0.25
NOTICED = ("killed", "timeout", "segfault")
SURVIVED = ("survived", "no_tests", "suspicious")


def main(path):
    counts = json.loads(Path(path).read_text("utf-8"))
    survived = sum(counts[status] for status in SURVIVED)
    tried = survived + sum(counts[status] for status in NOTICED)
    share = survived / tried if tried else 1
    sys.stdout.write(f"{survived} of {tried} mutants survived: {share:.1%}, and {SHARE:.0%} may.\n")
    return share > SHARE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
