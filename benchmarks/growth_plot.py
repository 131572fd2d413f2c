"""Line chart as SVG without a library, legible on light and dark backgrounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 56, 190, 74, 48
MOST = 1.4  # the top of the scale
LEAST_BETWEEN_LABELS = 17
HUES = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#64748b")
HUES_ON_DARK = ("#60a5fa", "#fbbf24", "#34d399", "#f472b6", "#a78bfa", "#94a3b8")

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2937 }
    .title { font-size: 16px; font-weight: 600 } .quiet { fill: #6b7280 } .grid { stroke: #e5e7eb }
    .aim { stroke: #6b7280; stroke-dasharray: 5 4 } .paper { fill: #ffffff }
    path { fill: none; stroke-width: 2.25 }"""
STYLE_ON_DARK = """
        text { fill: #e5e7eb } .quiet { fill: #9ca3af } .grid { stroke: #374151 }
        .aim { stroke: #9ca3af } .paper { fill: #111827 }"""


@dataclass(frozen=True)
class Line:
    """A series: its name, and its value at each size."""

    name: str
    values: Sequence[float]


def draw(title: str, subtitle: str, sizes: Sequence[str], lines: Sequence[Line], aim: float) -> str:
    """Draw the chart as SVG: sizes at equal distances, lines labelled at their ends without overlaps."""
    across = [LEFT + (WIDTH - LEFT - RIGHT) * number / max(1, len(sizes) - 1) for number in range(len(sizes))]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{_style()}</style>",
        f'  <rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        f'  <text class="title" x="{LEFT}" y="30">{escape(title)}</text>',
        f'  <text class="quiet" x="{LEFT}" y="51">{escape(subtitle)}</text>',
    ]
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4):
        kind = "aim" if tick == aim else "grid"
        y = _down(tick)
        parts.append(f'  <line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'  <text class="quiet" x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{tick:.1f}</text>')
    for x, size in zip(across, sizes, strict=True):
        parts.append(f'  <text x="{x:.1f}" y="{HEIGHT - 20}" text-anchor="middle">{escape(size)}</text>')
    for number, line in enumerate(lines):
        points = " L".join(f"{x:.1f},{_down(value):.1f}" for x, value in zip(across, line.values, strict=True))
        parts.append(f'  <path class="hue{number}" d="M{points}"/>')
    for number, y in _apart([_down(line.values[-1]) for line in lines]):
        line = lines[number]
        told = f"{line.name} {line.values[-1]:.2f}"
        parts.append(f'  <text class="name{number}" x="{across[-1] + 12:.1f}" y="{y + 4:.1f}">{escape(told)}</text>')
    parts.append(f'  <text class="quiet" x="{WIDTH - RIGHT + 100}" y="{_down(aim) + 4:.1f}">aim {aim:g}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _down(value: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(max(value, 0.0), MOST) / MOST)


def _apart(wanted: Sequence[float]) -> list[tuple[int, float]]:
    """Place each label as near to its line as the label above permits."""
    placed: list[tuple[int, float]] = []
    lowest = float("-inf")
    for number in sorted(range(len(wanted)), key=lambda number: wanted[number]):
        lowest = max(wanted[number], lowest + LEAST_BETWEEN_LABELS)
        placed.append((number, lowest))
    return placed


def _style() -> str:
    def hues(colours: Sequence[str]) -> str:
        return "".join(f" .hue{n} {{ stroke: {hue} }} .name{n} {{ fill: {hue} }}" for n, hue in enumerate(colours))

    dark = f"@media (prefers-color-scheme: dark) {{{STYLE_ON_DARK}\n       {hues(HUES_ON_DARK)}\n    }}"
    return f"{STYLE}\n   {hues(HUES)}\n    {dark}\n  "
