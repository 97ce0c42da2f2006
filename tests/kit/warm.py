"""Programs in processes of their own, which need not import what most of them import.

Each is a fork of one process that has imported it, and can be killed as any other. To import a
client, the store and Django takes four times as long as what such a program does.
"""

import io
import multiprocessing
import os
import runpy
import sys
import tempfile
import warnings
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

import attrs

#: What is imported before the first program.
PRELOADED = (
    "django.test",
    "facematch_core.store.database",
    "facematch_didit",
    "kit.cards",
    "kit.fakes",
    "sqlalchemy.dialects.sqlite",
)
CONTEXT = multiprocessing.get_context("forkserver")


@attrs.frozen
class Ended:
    """A program that has ended: `-N` if signal N killed it, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def start(function, *arguments):
    """Start a process that calls a function of a module of `tests`."""
    CONTEXT.set_forkserver_preload(PRELOADED)
    # Python 3.11 gives the path to the forks, but not to the process that they are forks of.
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))):
        forkserver.ensure_running()
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def run(program, *words, limit_s=240):
    """Run the code of a program, or a module by its name, with warnings as errors."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdout", "stderr")]
        arguments = (program, [str(word) for word in words], files, dict(os.environ))
        process = start(_play, *arguments)
        process.join(limit_s)
        if process.exitcode is None:
            process.kill()
            process.join()
        printed = [file.read_text() if file.exists() else "" for file in files]
        ended = Ended(process.exitcode, *printed)
        process.close()
    return ended


def _play(program, words, files, environment):
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files, 1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(n, "w", closefd=False), line_buffering=True) for n in (1, 2)
    )
    warnings.simplefilter("error")
    sys.argv = ["-c", *words]
    if "\n" in program:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
