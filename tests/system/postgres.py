"""A PostgreSQL server of its own, for the tests of stores."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg


def find(program):
    # Debian puts the server's programs where nobody's path leads.
    debian = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    by_version = sorted(debian, key=lambda path: int(path.parts[4]))
    return str(by_version[-1]) if by_version else shutil.which(program)


def hand_over(folder):
    """Return the options of a process that may own the server's files: root may not."""
    if os.getuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def connected(address, **options):
    return psycopg.connect(address.replace("+psycopg", ""), **options)


class Server:
    def __init__(self, folder):
        self.folder, self._numbers = folder, itertools.count()
        self._as_user = hand_over(folder)
        words = ("--auth=trust", "--username=facematch", "--encoding=UTF8", "--no-locale")
        self._run("initdb", *words, "--no-sync", "--pgdata=data")

    def _run(self, program, *words):
        log = self.folder / "said"
        with log.open("a") as output:
            done = subprocess.run(
                [find(program), *words],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self.folder)},
                stdout=output,
                stderr=output,
                check=False,
                timeout=240,
                **self._as_user,
            )
        assert done.returncode == 0, f"{program} {self._as_user}:\n{log.read_text()}"

    def start(self):
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", options)

    def close(self):
        self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", "fast")

    @contextlib.contextmanager
    def away(self):
        self.close()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def silence(self):
        """Nobody who is connected, or connects, hears anything until it is over."""
        server = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        pids = [server, *map(int, children)]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def address(self, database="postgres"):
        return f"postgresql+psycopg://facematch@/{database}?host={self.folder}"

    def new_database(self):
        name = f"shop_{next(self._numbers)}"
        with connected(self.address(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.address(name)


@contextlib.contextmanager
def running_server():
    # A name that is short: the path of a socket has about a hundred letters at most.
    folder = Path(tempfile.mkdtemp(prefix="fm-pg-", dir="/tmp"))
    try:
        server = Server(folder)
        server.start()
        with contextlib.closing(server):
            yield server
    finally:
        shutil.rmtree(folder)
