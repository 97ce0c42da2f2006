"""How contenders are told apart: by colour, by dashes and by markers, so that any one will do.

The colours themselves are in ``style.css``, for light and for dark; here each has a stand-in that
matplotlib draws with and `_svg` turns into a class.
"""

from __future__ import annotations

from typing import Final

import attrs
from markupsafe import Markup

#: Colours that ``style.css`` knows; the first six are those of contenders.
COLOURS: Final = ("s0", "s1", "s2", "s3", "s4", "s5", "ink", "faint", "line")

#: Colour to its stand-in.
STAND_INS: Final = {name: f"#f0{place:02x}0f" for place, name in enumerate(COLOURS)}

#: Lengths of line and gap, in points.
DASHES: Final = ((), (6.0, 2.5), (1.5, 2.0), (7.0, 2.0, 1.5, 2.0))

#: Marker of matplotlib to the same as a path, about (0, 0) and 4 wide and high.
MARKERS: Final = {
    "o": "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z",
    "s": "M-3.5-3.5H3.5V3.5H-3.5Z",
    "^": "M0-4L4 3.5H-4Z",
    "D": "M0-4.5L4.5 0L0 4.5L-4.5 0Z",
    "v": "M0 4L4-3.5H-4Z",
    "P": "M-1.5-4H1.5V-1.5H4V1.5H1.5V4H-1.5V1.5H-4V-1.5H-1.5Z",
}


@attrs.frozen(kw_only=True)
class Style:
    """The style of one line.

    Attributes:
        colour: One of `COLOURS`.
        dashes: Lengths of line and gap, in points; empty for a whole line.
        marker: One of `MARKERS`.
    """

    colour: str
    dashes: tuple[float, ...]
    marker: str

    @property
    def stand_in(self) -> str:
        """The colour that matplotlib draws with."""
        return STAND_INS[self.colour]

    @property
    def line(self) -> tuple[float, tuple[float, ...]] | str:
        """The dashes as matplotlib takes them."""
        return (0.0, self.dashes) if self.dashes else "solid"

    def swatch(self, *, marker: bool = True) -> Markup:
        """A piece of the line, with its marker, for a legend. Says nothing to a screen reader."""
        dashes = " ".join(f"{length:g}" for length in self.dashes)
        dashed = Markup(' stroke-dasharray="{}"').format(dashes) if dashes else ""
        sign = (
            Markup('<path class="fill-{}" transform="translate(20 7)" d="{}"/>').format(
                self.colour, MARKERS[self.marker]
            )
            if marker
            else ""
        )
        return Markup(
            '<svg class="swatch" viewBox="0 0 40 14" aria-hidden="true" focusable="false">'
            '<path class="stroke-{}" fill="none" stroke-width="2" d="M0 7H40"{}/>{}</svg>'
        ).format(self.colour, dashed, sign)


def style_of(place: int) -> Style:
    """The style of the contender at a place, from 0; no two of the first twelve are alike."""
    markers = [*MARKERS]
    return Style(
        colour=COLOURS[place % 6],
        dashes=DASHES[place % len(DASHES)],
        marker=markers[place % len(markers)],
    )


#: Styles of the two kinds of pairs in the figures of one contender.
MATED: Final = Style(colour="s0", dashes=(), marker="o")
NON_MATED: Final = Style(colour="s1", dashes=DASHES[1], marker="s")
