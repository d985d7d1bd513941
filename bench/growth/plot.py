# The growth curves as one SVG: median as a line, smallest to largest as a bar. No library, so the same data gives the
# same bytes.
# In: a result of growth/run.py. Out: the text of an SVG file.

import math

WIDTH, HEIGHT, MARGIN = 420, 260, 52
LABEL = 28  # pixels that a number below the axis takes


def ticks(largest):
    """Up to five round numbers after zero."""
    power = 10.0 ** (math.floor(math.log10(largest)) - 1)
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if largest <= 5 * power * factor)
    return [step * index for index in range(int(largest / step + 1e-9) + 1)]


def number(value):
    return f"{value:.6g}"


class Panel:
    """One curve with its axes at (left, top)."""

    def __init__(self, curve, left, top):
        self.curve, self.left, self.top = curve, left, top
        self.x_max = max(point["x"] for point in curve["points"])
        self.y_max = max(point["max"] for point in curve["points"]) * 1.05

    def x(self, value):
        return f"{self.left + MARGIN + (WIDTH - MARGIN - 20) * value / self.x_max:.1f}"

    def y(self, value):
        return f"{self.top + HEIGHT - 40 - (HEIGHT - 76) * value / self.y_max:.1f}"

    def axes(self):
        curve = self.curve
        parts = [f'<text x="{self.left + MARGIN}" y="{self.top + 20}" class="title">{curve["name"]}, {curve["y"]}</text>',
                 f'<text x="{self.left + WIDTH - 20}" y="{self.top + HEIGHT - 6}" class="end">{curve["x"]}</text>']
        for tick in ticks(self.y_max):
            parts.append(f'<path d="M{self.x(0)} {self.y(tick)}H{self.x(self.x_max)}" class="grid"/>')
            parts.append(f'<text x="{self.left + MARGIN - 6}" y="{self.y(tick)}" class="end">{number(tick)}</text>')
        taken = -LABEL
        for point in curve["points"]:
            if float(self.x(point["x"])) - taken < LABEL:
                continue
            taken = float(self.x(point["x"]))
            parts.append(f'<text x="{self.x(point["x"])}" y="{self.top + HEIGHT - 24}" class="mid">{point["x"]}</text>')
        return parts

    def lines(self):
        points = self.curve["points"]
        path = "L".join(f"{self.x(p['x'])} {self.y(p['median'])}" for p in points)
        parts = [f'<path d="M{path}" class="line"/>']
        for p in points:
            parts.append(f'<path d="M{self.x(p["x"])} {self.y(p["min"])}V{self.y(p["max"])}" class="bar"/>')
            parts.append(f'<circle cx="{self.x(p["x"])}" cy="{self.y(p["median"])}" r="3"/>')
        return parts


STYLE = """<style>
text{font:11px sans-serif;fill:#333}.title{font-size:13px;font-weight:bold}.end{text-anchor:end}.mid{text-anchor:middle}
.grid{stroke:#ddd}.line{stroke:#1f6f54;stroke-width:2;fill:none}.bar{stroke:#1f6f54}circle{fill:#1f6f54}
</style>"""


def svg(result):
    """The curves of a result, two in a row."""
    rows = (len(result["curves"]) + 1) // 2
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {rows * HEIGHT}">', STYLE,
             f'<rect width="{2 * WIDTH}" height="{rows * HEIGHT}" fill="#fff"/>']
    for index, curve in enumerate(result["curves"]):
        panel = Panel(curve, index % 2 * WIDTH, index // 2 * HEIGHT)
        parts += panel.axes() + panel.lines()
    return "\n".join([*parts, "</svg>"]) + "\n"
