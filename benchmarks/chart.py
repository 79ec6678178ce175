"""Draw the ratios of instructions as a bar chart, in SVG, without a library.

Bars begin at zero, so that lengths may be compared; a line stands at 1.00, which is stock Python.
The colours are legible on white and on black, and text follows the reader's scheme.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from results import Report, Result

NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH = 780
LEFT = 226  # where bars begin, right of their names
RIGHT = 60  # room for a number behind the longest bar
VALUE = 48  # the width of a number and the gap before it
NAME = 32  # characters of a command that fit left of its bar
BAR = 15
ROW = 23
TOP = 62  # where the first row begins, below the title
GROUP = 30  # a row that names a profile
FOOT = 28
LEAST = 1.2  # the scale reaches at least so far

STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; }
.group { font-weight: 600; }
.name { font-size: 12px; }
.value { font-variant-numeric: tabular-nums; }
.note { font-size: 12px; fill: #57606a; }
.less { fill: #2a9d7f; }
.more { fill: #d9822b; }
.stock { stroke: #57606a; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .note { fill: #9da7b1; }
  .stock { stroke: #9da7b1; }
}
"""


class Chart:
    """A chart as it grows from top to bottom."""

    def __init__(self, largest: float) -> None:
        self.parts: list[str] = []
        self.y = TOP
        self.scale = (WIDTH - LEFT - RIGHT) / max(largest, LEAST)

    def x(self, ratio: float) -> float:
        """Return where a ratio lies."""
        return round(LEFT + ratio * self.scale, 1)

    def text(self, x: float, y: float, kind: str, text: str, anchor: str = "start") -> None:
        """Write a text."""
        self.parts.append(
            f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def group(self, title: str) -> None:
        """Name the rows that follow."""
        self.text(16, self.y + 21, "group", title)
        self.y += GROUP

    def bar(self, name: str, ratio: float) -> None:
        """Draw a row: a name, a bar, the line of the baseline, a number."""
        middle = self.y + ROW / 2
        kind = "less" if ratio <= 1 else "more"
        place = f'x="{LEFT}" y="{middle - BAR / 2}" width="{self.x(ratio) - LEFT:.1f}"'
        self.text(LEFT - 10, middle + 4.5, "name", shortened(name), "end")
        self.parts.append(f'<rect {place} height="{BAR}" rx="2" class="{kind}"/>')
        line = self.x(1)
        stock = f'x1="{line}" y1="{self.y}" x2="{line}" y2="{self.y + ROW}"'
        self.parts.append(f'<line {stock} class="stock"/>')
        self.text(self.end(ratio) + 7, middle + 4.5, "value", f"{ratio:.3f}")
        self.y += ROW

    def end(self, ratio: float) -> float:
        """Return where a bar's number begins: behind stock's line if it would lie across that."""
        end, line = self.x(ratio), self.x(1)
        return line if end < line < end + VALUE else end

    def finish(self, title: str, description: str) -> str:
        """Return the chart, with its title and a name for the line at 1.00."""
        self.text(self.x(1), self.y + 18, "note", "1.00", "middle")
        self.text(16, 28, "title", title)
        self.text(16, 48, "note", "instructions of a whole start; shorter is better")
        height = self.y + FOOT
        size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        parts = [
            f'<svg xmlns="{NAMESPACE}" {size} role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(description)}</desc>',
            f"<style>\n{STYLE}</style>",
            *self.parts,
            "</svg>\n",
        ]
        return "\n".join(parts)


def shortened(name: str) -> str:
    """Return as much of a command as there is room for."""
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def described(results: list[Result]) -> str:
    """Return the chart in words, for who cannot see it."""
    items = [f"{r.name} {r.ratio('instructions'):.3f} on {r.interpreter.title}" for r in results]
    return f"Instructions, as a ratio to the baseline's: {', '.join(items)}."


def svg(report: Report) -> str:
    """Return the chart of a report whose instructions were counted."""
    ratios = [result.ratio("instructions") for result in report.results]
    chart = Chart(max(ratios, default=1.0))
    groups = report.groups()
    for interpreter, results in groups:
        place = f"{interpreter.title}: " if len(groups) > 1 else ""
        for about, rows in groupby(results, key=lambda result: result.profile.about):
            chart.group(place + about.replace("`", ""))
            for result in rows:
                chart.bar(result.comparison.started, result.ratio("instructions"))
    stock = groups[0][0].title if len(groups) == 1 else "Python"
    title = f"Starting Python with safesite {report.safesite}, against stock {stock}"
    return chart.finish(title, described(report.results))
