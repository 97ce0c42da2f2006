"""A PostgreSQL server of its own for tests: in a temporary folder, reached by its socket alone."""

import contextlib
import getpass
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

#: Where Debian puts the server's programs, which are on nobody's path.
DEBIAN = Path("/usr/lib/postgresql")
#: Who runs the server if we are root, whom it refuses.
INSTEAD = ("postgres", "nobody")


def find(program):
    """The path of a program of the server; None if it is not installed."""
    by_version = sorted(DEBIAN.glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    return str(by_version[-1]) if by_version else shutil.which(program)


def _other_user():
    if os.getuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return next(known[name] for name in INSTEAD if name in known)


class Server:
    """A server that is started and stopped; its data are gone in the end."""

    def __init__(self, folder):
        self.folder = folder
        self._numbers = itertools.count()
        self._user = _other_user()
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        words = ("--auth=trust", "--username=facematch", "--encoding=UTF8", "--no-locale")
        self._run("initdb", *words, "--no-sync", "--pgdata=data")

    def _run(self, program, *words):
        as_user = {}
        if self._user is not None:
            as_user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        log = self.folder / "said"
        with log.open("a") as said:
            done = subprocess.run(
                [find(program), *words],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self.folder)},
                stdout=said,
                stderr=said,
                check=False,
                timeout=120,
                **as_user,
            )
        assert done.returncode == 0, f"{program} as {self.user}:\n{log.read_text()}"

    @property
    def user(self):
        """Who runs it."""
        return getpass.getuser() if self._user is None else self._user.pw_name

    def start(self):
        """Until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", options)

    def stop(self):
        """Whoever is connected is cut off."""
        self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", "fast")

    @contextlib.contextmanager
    def silence(self):
        """Nobody who is connected, or connects, hears anything until it is over."""
        pids = self._processes()
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _processes(self):
        """The ids of this server and of its children, the server first."""
        server = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children)]

    def address(self, database="postgres"):
        """For SQLAlchemy."""
        return f"postgresql+psycopg://facematch@/{database}?host={self.folder}"

    def new_database(self, more=""):
        """The address of a new, empty one; `more` of its making."""
        import sqlalchemy

        name = f"shop_{next(self._numbers)}"
        engine = sqlalchemy.create_engine(self.address(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} {more}")
        engine.dispose()
        return self.address(name)


@contextlib.contextmanager
def running_server():
    """A server that runs."""
    # A name that is short: the path of a socket has about a hundred letters at most.
    folder = Path(tempfile.mkdtemp(prefix="fm-pg-", dir="/tmp"))
    try:
        one = Server(folder)
        one.start()
        try:
            yield one
        finally:
            one.stop()
    finally:
        shutil.rmtree(folder)
