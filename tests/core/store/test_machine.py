"""A budget over each kind of store here, against plain numbers."""

import tempfile

from hypothesis import settings
from kit.store_machine import Machine

from facematch_core.store import MemoryStore, SqlStore


class MemoryMachine(Machine):
    """In memory there is nothing to open again."""

    def make_store(self):
        """One that is gone with its process."""
        return MemoryStore()

    def reopened(self):
        """The same."""
        return self.store


class SqlMachine(Machine):
    """In a file, which each step may open anew."""

    def make_store(self):
        """A new file."""
        self.folder, self.opened = tempfile.TemporaryDirectory(), []
        return self.open_file()

    def open_file(self):
        """The file as a process finds it. A call under way goes on with the store of before."""
        self.opened.append(SqlStore(f"sqlite:///{self.folder.name}/a.sqlite3"))
        return self.opened[-1]

    def reopened(self):
        """The file of before."""
        self.store.close()
        return self.open_file()

    def teardown(self):
        """Close and take away."""
        if hasattr(self, "folder"):
            for store in self.opened:
                store.close()
            self.folder.cleanup()


TestMemory = MemoryMachine.TestCase
TestSql = SqlMachine.TestCase
# A file is slower than a memory.
TestSql.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=25)
