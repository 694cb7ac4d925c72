"""Curves of PSNR over bytes as an SVG: a logarithmic axis of sizes, a linear one of dB, a legend."""

import math

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 420, 60, 20, 20, 50
COLOURS = ("#0b6e4f", "#6aa84f", "#1f4e99", "#b45f06")

Series = dict[str, list[tuple[float, float]]]


def plot(series: Series) -> str:
    """The picture of some curves; a curve is a list of (bytes, dB)."""
    points = [point for curve in series.values() for point in curve]
    sizes, scores = [math.log10(size) for size, _ in points], [score for _, score in points]
    low, high = min(sizes) - 0.05, max(sizes) + 0.05
    least, most = math.floor(min(scores)), math.ceil(max(scores))

    def place(size: float, score: float) -> tuple[float, float]:
        x = LEFT + (math.log10(size) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        return x, TOP + (most - score) / (most - least) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for score in range(least, most + 1):
        _, y = place(points[0][0], score)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{score} dB</text>')
    for size in (base * 10**power for power in range(3, 9) for base in (1, 2, 5)):
        if low <= math.log10(size) <= high:
            x, _ = place(size, least)
            parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>')
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 30}" text-anchor="middle">{size // 1000} kB</text>')
    for number, (name, curve) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [place(*point) for point in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        x = LEFT + 10 + 165 * number
        parts.append(f'<text x="{x}" y="{HEIGHT - 8}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
