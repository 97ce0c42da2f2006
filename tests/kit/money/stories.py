"""What happened to `Books`, as a script that runs."""

import attrs


@attrs.define
class Story:
    """`Books` of a kind, made with some arguments, and what happened to them."""

    kind: type
    made: dict
    lines: list = attrs.field(init=False, factory=list)
    books: object = attrs.field(init=False)
    failed: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self):
        self.books = self.kind(**self.made)

    def tell(self, name, *given, **named):
        """One thing happens; if the books do not agree then, the script is with the error."""
        words = [repr(one) for one in given] + [f"{key}={one!r}" for key, one in named.items()]
        self.lines.append(f"books.{name}({', '.join(words)})")
        try:
            getattr(self.books, name)(*given, **named)
        except BaseException as error:
            self.failed = True
            error.add_note(f"Run from the root of the checkout:\n\n{self.script()}")
            raise

    def script(self):
        """A program that does the same."""
        made = ", ".join(f"{key}={one!r}" for key, one in self.made.items() if key != "store")
        head = ["import sys", "", 'sys.path.insert(0, "tests")']
        kind = self.kind.__name__
        head += [f"from {self.kind.__module__} import {kind}", "", f"books = {kind}({made})"]
        return "\n".join([*head, *self.lines])

    def end(self):
        """Bring all books to an end, unless something went wrong before."""
        try:
            if not self.failed:
                self.tell("invoice")
        finally:
            self.books.close()
