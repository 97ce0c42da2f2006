import tempfile

from core.store.machine import Machine
from hypothesis import settings

from facematch_core.store import SqlStore


class SqlMachine(Machine):
    def make_store(self):
        self.folder = tempfile.TemporaryDirectory()
        self.opened = []
        return self.open_file()

    def open_file(self):
        self.opened.append(SqlStore(f"sqlite:///{self.folder.name}/a.sqlite3"))
        return self.opened[-1]

    def reopened(self):
        self.store.close()
        return self.open_file()

    def teardown(self):
        if hasattr(self, "folder"):
            for store in self.opened:
                store.close()
            self.folder.cleanup()


TestBudgetsInMemoryStore = Machine.TestCase
TestBudgetsInSqlStore = SqlMachine.TestCase
EXAMPLES = max(50, settings().max_examples)
TestBudgetsInMemoryStore.settings = settings(max_examples=EXAMPLES // 2)
# A file is slower than a memory.
TestBudgetsInSqlStore.settings = settings(max_examples=EXAMPLES // 12, stateful_step_count=25)
