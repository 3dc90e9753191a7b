"""Digits drawn by rules: strokes as a hand would make them, in a field of width and height 1, y downwards."""

import math
import random


def arc(x, y, wide, high, start, end, points=16):
    """Part of an ellipse, in degrees clockwise from the right."""
    angles = [math.radians(start + (end - start) * i / points) for i in range(points + 1)]
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


# The ways in which each digit is written.
WAYS = {
    0: [[arc(0.5, 0.5, 0.32, 0.5, -90, 270)], [arc(0.5, 0.5, 0.38, 0.5, -60, 300)]],
    1: [[[(0.5, 0), (0.5, 1)]], [[(0.3, 0.22), (0.5, 0), (0.5, 1)]]],
    2: [
        [[*arc(0.5, 0.28, 0.35, 0.28, 190, 380), (0.15, 1), (0.85, 1)]],
        [[*arc(0.5, 0.25, 0.3, 0.25, 180, 400), (0.2, 1), (0.8, 1)]],
    ],
    3: [
        [[*arc(0.45, 0.25, 0.32, 0.25, 200, 450), *arc(0.45, 0.75, 0.36, 0.25, -90, 160)]],
        [[(0.15, 0), (0.8, 0), (0.45, 0.4), *arc(0.45, 0.7, 0.36, 0.3, -90, 160)]],
    ],
    4: [
        [[(0.6, 0), (0.1, 0.65), (0.9, 0.65)], [(0.65, 0.3), (0.65, 1)]],
        [[(0.2, 0), (0.2, 0.5), (0.8, 0.5)], [(0.8, 0), (0.8, 1)]],
    ],
    5: [
        [[(0.8, 0), (0.25, 0), (0.2, 0.45), *arc(0.45, 0.7, 0.35, 0.3, -110, 150)]],
        [[(0.25, 0), (0.22, 0.42), *arc(0.45, 0.7, 0.35, 0.3, -110, 150)], [(0.25, 0), (0.8, 0)]],
    ],
    6: [
        [[(0.65, 0), (0.35, 0.3), *arc(0.5, 0.72, 0.3, 0.28, 190, 550)]],
        [[*arc(0.75, 0.55, 0.55, 0.55, 260, 180), *arc(0.5, 0.72, 0.3, 0.28, 180, 540)]],
    ],
    7: [
        [[(0.15, 0), (0.85, 0), (0.4, 1)]],
        [[(0.15, 0), (0.85, 0), (0.4, 1)], [(0.3, 0.5), (0.8, 0.5)]],
    ],
    8: [
        [[*arc(0.5, 0.25, 0.25, 0.25, 90, 450), *arc(0.5, 0.75, 0.32, 0.25, -90, 270)]],
        [[*arc(0.5, 0.24, 0.28, 0.24, 90, -270), *arc(0.5, 0.74, 0.3, 0.26, -90, 270)]],
    ],
    9: [
        [[*arc(0.5, 0.28, 0.3, 0.28, 0, -360), (0.78, 0.5), (0.7, 1)]],
        [[*arc(0.5, 0.28, 0.3, 0.28, 0, -360), (0.8, 1)]],
    ],
}


def drawn(digit, seed):
    """One such digit: large or small, broad or narrow, leaning, somewhere, with a hand that shakes."""
    chance = random.Random(f"{digit} {seed}")
    way = WAYS[digit][seed % 2]
    size, breadth = chance.uniform(0.35, 0.8), chance.uniform(0.6, 0.9)
    lean = chance.uniform(-0.1, 0.25)
    left, top = (chance.uniform(0.05, 0.95 - size) for _ in range(2))
    shake = 0.015

    def put(x, y):
        x = (x - 0.5) * breadth + 0.5 + lean * (0.5 - y)
        at = left + size * x, top + size * y
        return [min(max(value + chance.gauss(0, shake * size), 0), 1) for value in at]

    return [[put(x, y) for x, y in stroke] for stroke in way]
