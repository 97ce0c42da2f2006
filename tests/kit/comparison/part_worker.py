"""Run one part of a study, as a task of a cluster does; die once at a moment of its life.

``python part_worker.py '{"pairs": ..., "part": [3, 4], "store": ..., "url": ..., "key": ...,
"moment": ..., "died": ...}'``. The file `died` shows that a worker has died already.
"""

import contextlib
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from facematch_comparison import RunDatabase, read_study, run_study
from facematch_core import open_verifier

#: After a pair's answer was stored, after it came and before it was stored, after the last one.
MOMENTS = ("mid", "in flight", "end")

#: The pair, in the worker's order, at which it dies.
FATAL_PAIR = 3


def main(settings_json):
    settings = json.loads(settings_json)

    def die_at(moment):
        if moment == settings["moment"]:
            with contextlib.suppress(FileExistsError), Path(settings["died"]).open("x"):
                os.kill(os.getpid(), signal.SIGKILL)

    class Database(RunDatabase):
        ended = 0

        def end(self, *about, **more):
            self.ended += 1
            if self.ended == FATAL_PAIR:
                die_at("in flight")
            super().end(*about, **more)
            if self.ended == FATAL_PAIR:
                die_at("mid")

    opener = partial(
        open_verifier,
        "didit",
        api_key=settings["key"],
        base_url=settings["url"],
        environment="mock",
    )
    study = read_study(Path(settings["pairs"])).part(*settings["part"])
    with contextlib.closing(Database(settings["store"])) as database:
        run_study(study, {"didit": opener}, database, workers=1)
    die_at("end")


if __name__ == "__main__":
    main(sys.argv[1])
