"""Why a picture is not taken. `Image` turns each of these into one `InvalidImage`."""

from __future__ import annotations


class Refusal(Exception):
    """A picture that is not taken.

    Attributes:
        why: What follows the words "The picture", without the full stop: what is wrong, which
            value, and what to do. Never bytes of the picture.
        subject: The first words of the sentence.
    """

    def __init__(self, why: str, *, subject: str = "The picture") -> None:
        super().__init__(why)
        self.why = why
        self.subject = subject

    @property
    def sentence(self) -> str:
        """The one sentence that the caller reads."""
        return f"{self.subject} {self.why}."


class EndOfData(Exception):
    """The bytes stop before the file says that it is complete."""


class Damaged(Exception):
    """The bytes contradict the file format; the text says how, in a few words."""
