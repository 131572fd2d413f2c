"""Bar and line charts over named categories as SVG, legible on light and dark backgrounds."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 40
COLOURS = ("#2a78c2", "#d9822b", "#2f9e6e", "#a54fb5")
GREY = "#808890"
STEPS = 4  # of the scale


def bars(title: str, places: Sequence[str], values: Sequence[float], unit: str) -> str:
    """Return a bar chart."""
    scale = _Scale(max(values))
    width = _room(places) * 0.7
    drawn = []
    for number, value in enumerate(values):
        left, top = _middle(number, places) - width / 2, scale.y(value)
        told = f"{escape(places[number])}: {value:,.6g} {unit}"
        place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{HEIGHT - BOTTOM - top:.1f}"'
        drawn.append(f'<rect {place} fill="{COLOURS[0]}"><title>{told}</title></rect>')
    return _page(title, places, scale, unit, drawn, ())


def lines(title: str, places: Sequence[str], rows: Mapping[str, Sequence[float]], unit: str) -> str:
    """Return a line chart."""
    scale = _Scale(max(max(values) for values in rows.values()))
    drawn = []
    for colour, values in zip(COLOURS, rows.values(), strict=False):
        points = " ".join(f"{_middle(number, places):.1f},{scale.y(value):.1f}" for number, value in enumerate(values))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
    return _page(title, places, scale, unit, drawn, list(rows))


class _Scale:
    """Axis from 0 to a round number."""

    def __init__(self, most: float) -> None:
        power = 10.0 ** (len(f"{int(most)}") - 1) if most >= 1 else 0.1
        while power > most and power > 1e-9:
            power /= 10
        self.top = next(power * step for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if power * step >= most)

    def y(self, value: float) -> float:
        """Return the vertical position of a value."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top


def _page(
    title: str, places: Sequence[str], scale: _Scale, unit: str, drawn: Sequence[str], legend: Sequence[str]
) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{GREY}"><title>{escape(title)}</title>',
        f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for step in range(STEPS + 1):
        value = scale.top * step / STEPS
        y = scale.y(value)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GREY}" opacity="0.3"/>'
        )
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.6g}</text>')
    parts.append(f'<text x="{LEFT - 8}" y="{TOP - 12}" text-anchor="end">{escape(unit)}</text>')
    for number, place in enumerate(places):
        parts.append(
            f'<text x="{_middle(number, places):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{escape(place)}</text>'
        )
    for number, name in enumerate(legend):
        x = LEFT + 150 * number
        parts.append(f'<rect x="{x}" y="{TOP - 14}" width="12" height="3" fill="{COLOURS[number]}"/>')
        parts.append(f'<text x="{x + 18}" y="{TOP - 9}">{escape(name)}</text>')
    return "\n".join([*parts, *drawn, "</svg>", ""])


def _room(places: Sequence[str]) -> float:
    return (WIDTH - LEFT - RIGHT) / len(places)


def _middle(number: int, places: Sequence[str]) -> float:
    return LEFT + _room(places) * (number + 0.5)
