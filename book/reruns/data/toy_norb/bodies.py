"""Toy bodies of NORB's five categories, built of ellipsoids, cylinders and boxes; x is forward, y left and z up."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

CATEGORIES = ("animal", "human", "airplane", "truck", "car")
# NORB's own split: no instance that is tested was ever trained on.
INSTANCES = {"train": (4, 6, 7, 8, 9), "test": (0, 1, 2, 3, 5)}

SIDES = (-1, 1)
Draw = Callable[[float, float], float]


class Solid(NamedTuple):
    """The image centre + axes @ p of all p whose first `round` coordinates lie in a unit ball, the others in [-1, 1].

    Three round axes make an ellipsoid, two a cylinder, none a box.
    """

    round: int
    centre: np.ndarray
    axes: np.ndarray


def body(category: str, instance: int, seed: int) -> list[Solid]:
    """Return one instance of a category: the category's plan in proportions of its own."""
    if category not in PLANS:
        raise ValueError(f"category must be one of {CATEGORIES}. Received: {category!r}")
    rng = np.random.default_rng([seed, CATEGORIES.index(category), instance])

    def draw(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    return _put_down(_centred(PLANS[category](draw)), draw)


def _put_down(solids: list[Solid], draw: Draw) -> list[Solid]:
    """Place a body as a hand does: of any size, not quite straight and not quite in the middle."""
    size, heading = draw(0.7, 0.94), draw(-0.2, 0.2)
    cosine, sine = np.cos(heading), np.sin(heading)
    turn = size * np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    aside = np.array([draw(-0.08, 0.08), draw(-0.08, 0.08), 0])
    return [Solid(solid.round, turn @ solid.centre + aside, turn @ solid.axes) for solid in solids]


def _centred(solids: list[Solid]) -> list[Solid]:
    """Return a body with its bounding box centred, of a diagonal of length 2."""
    # A solid reaches along each axis as far as the length of its half-axes there: round ones add as squares.
    reaches = [
        np.sqrt((solid.axes[:, : solid.round] ** 2).sum(1)) + np.abs(solid.axes[:, solid.round :]).sum(1)
        for solid in solids
    ]
    low = np.min([solid.centre - reach for solid, reach in zip(solids, reaches, strict=True)], 0)
    high = np.max([solid.centre + reach for solid, reach in zip(solids, reaches, strict=True)], 0)
    middle, radius = (low + high) / 2, np.linalg.norm(high - low) / 2
    return [Solid(solid.round, (solid.centre - middle) / radius, solid.axes / radius) for solid in solids]


def _ellipsoid(centre: tuple, half_axes: tuple, pitch: float = 0.0) -> Solid:
    nod = np.array([[np.cos(pitch), 0, -np.sin(pitch)], [0, 1, 0], [np.sin(pitch), 0, np.cos(pitch)]])
    return Solid(3, np.array(centre), nod * half_axes)


def _box(centre: tuple, half_axes: tuple) -> Solid:
    return Solid(0, np.array(centre), np.diag(half_axes))


def _blade(root: tuple, tip: tuple, chord: float, thickness: float) -> Solid:
    """Return a thin board from root to tip, cut along x at both ends: a wing or a fin."""
    span = np.subtract(tip, root) / 2
    upright = np.cross([1.0, 0.0, 0.0], span)
    axes = np.stack([(chord / 2, 0, 0), span, thickness / 2 * upright / np.linalg.norm(upright)], 1)
    return Solid(0, np.add(root, tip) / 2, axes)


def _bar(start: tuple, end: tuple, radius: float) -> Solid:
    half = np.subtract(end, start) / 2
    # Any vector that is not parallel to the bar serves to find two across it.
    other = np.eye(3)[np.argmin(np.abs(half))]
    first = np.cross(half, other)
    second = np.cross(half, first)
    across = [radius * vector / np.linalg.norm(vector) for vector in (first, second)]
    return Solid(2, np.add(start, end) / 2, np.stack([*across, half], 1))


def _dome(centre: tuple, half_axes: tuple) -> Solid:
    """Return a cylinder lying across the body, elliptic seen from the side: a cabin, a bonnet or a wheel."""
    x, y, z = half_axes
    return Solid(2, np.array(centre), np.array([[x, 0, 0], [0, 0, y], [0, z, 0]], float))


def _animal(draw: Draw) -> list[Solid]:
    length, girth, leg = draw(0.45, 0.7), draw(0.17, 0.34), draw(0.25, 0.7)
    back = leg + girth
    neck, lift, head = draw(0.1, 0.6), draw(-0.1, 1.3), draw(0.11, 0.2)
    nape = (0.8 * length, 0, back + 0.4 * girth)
    poll = (nape[0] + neck * np.cos(lift), 0, nape[2] + neck * np.sin(lift))
    tail, droop = draw(0.15, 0.6), draw(-1.2, 1.2)
    rump = (-0.95 * length, 0, back + 0.3 * girth)
    solids = [
        _ellipsoid((0, 0, back), (length, 0.8 * girth, girth)),
        _bar((0.6 * length, 0, back), poll, 0.6 * head),
        _ellipsoid((poll[0] + 0.6 * head, 0, poll[2]), (1.5 * head, 0.8 * head, head), -draw(0.1, 0.6)),
        _bar(rump, (rump[0] - tail * np.cos(droop), 0, rump[2] + tail * np.sin(droop)), 0.05),
    ]
    thick, stride, ear = draw(0.06, 0.1), draw(0, 0.15), draw(0.07, 0.16)
    for side in SIDES:
        solids.append(_ellipsoid((poll[0], 0.6 * side * head, poll[2] + head), (0.04, 0.05, ear)))
        for end in (-0.65, 0.65):
            hip = (end * length, 0.5 * side * girth, back)
            solids.append(_bar(hip, (hip[0] + np.sign(end) * side * stride, hip[1], 0), thick))
    return solids


def _human(draw: Draw) -> list[Solid]:
    leg, trunk, width, head = draw(0.75, 0.95), draw(0.3, 0.38), draw(0.2, 0.28), draw(0.14, 0.19)
    shoulder = leg + 1.6 * trunk
    solids = [
        _ellipsoid((0, 0, leg + 0.8 * trunk), (draw(0.13, 0.2), width, trunk)),
        _ellipsoid((0, 0, leg + 0.05), (0.13, 0.8 * width, 0.15)),
        _ellipsoid((0.02, 0, shoulder + 0.12 + head), (head, 0.85 * head, 1.15 * head)),
    ]
    limb, stride, stance = draw(0.07, 0.12), draw(-0.45, 0.45), draw(0.1, 0.4)
    for side in SIDES:
        foot = (side * stride, side * stance, 0.05)
        solids.append(_bar((0, 0.5 * side * width, leg), foot, 1.1 * limb))
        solids.append(_ellipsoid((foot[0] + 0.08, foot[1], 0.05), (0.17, 0.08, 0.06)))
        swing, spread, bend = draw(-0.8, 1.5), draw(0.2, 1.7), draw(0.0, 1.6)
        top = np.array([0, 0.95 * side * width, shoulder])
        elbow = top + 0.33 * np.array([np.sin(swing), side * np.sin(spread), -np.cos(spread)])
        hand = elbow + 0.33 * np.array([np.sin(swing + bend), side * 0.3, -np.cos(swing + bend)])
        solids += [_bar(tuple(top), tuple(elbow), 0.8 * limb), _bar(tuple(elbow), tuple(hand), 0.7 * limb)]
    return solids


def _airplane(draw: Draw) -> list[Solid]:
    radius, span, chord = draw(0.1, 0.2), draw(0.55, 1.1), draw(0.22, 0.5)
    sweep, rise, height = draw(-0.1, 0.7), draw(-0.1, 0.25), draw(-0.7, 0.7) * radius
    place, tail, fin = draw(-0.05, 0.2), draw(0.3, 0.42), draw(0.25, 0.4)
    solids = [
        _ellipsoid((0, 0, 0), (1, radius, 1.1 * radius)),
        _ellipsoid((draw(0.3, 0.5), 0, radius), (0.2, 0.6 * radius, 0.5 * radius)),
        _blade((-0.75, 0, 0.05), (-0.8 - 0.5 * fin, 0, fin), 0.25, 0.04),
    ]
    engine = draw(0.3, 0.6)
    for side in SIDES:
        tip = (place - sweep, side * span, height + rise)
        solids.append(_blade((place, 0, height), tip, chord, 0.06))
        solids.append(_blade((-0.8, 0, 0.05), (-0.85 - 0.4 * sweep, side * tail, 0.05), 0.2, 0.04))
        middle = (place - engine * sweep, side * engine * span, height + engine * rise - 0.06)
        solids.append(_ellipsoid((middle[0] + 0.3 * chord, *middle[1:]), (0.2, 0.075, 0.075)))
    return solids


def _truck(draw: Draw) -> list[Solid]:
    width, wheel, cab, load = draw(0.26, 0.34), draw(0.12, 0.19), draw(0.15, 0.26), draw(0.35, 0.7)
    floor, tall, high = 1.3 * wheel, draw(0.18, 0.3), draw(0.12, 0.42)
    bonnet = draw(0, 0.2)
    front = load + 0.04
    solids = [
        _box((front / 2, 0, floor), (load + 0.5 * front + 0.2, 0.8 * width, 0.05)),
        _box((front + cab, 0, floor + tall), (cab, width, tall)),
        _box((front + 2 * cab + bonnet, 0, floor + 0.45 * tall), (bonnet + 0.01, 0.8 * width, 0.5 * tall)),
    ]
    if draw(0, 1) < 0.35:
        solids.append(_bar((-load, 0, floor + high), (load, 0, floor + high), high))
    else:
        solids.append(_box((0, 0, floor + high), (load, 1.05 * width, high)))
    for side in SIDES:
        for place in (front + cab, -0.75 * load, -0.75 * load + 2.2 * wheel):
            solids.append(_dome((place, 0.85 * side * width, wheel), (wheel, 0.07, wheel)))
    return solids


def _car(draw: Draw) -> list[Solid]:
    width, wheel, deck = draw(0.36, 0.44), draw(0.15, 0.2), draw(0.13, 0.19)
    floor, cabin, place, roof = 1.4 * wheel, draw(0.35, 0.7), draw(-0.3, 0.1), draw(0.22, 0.42)
    solids = [
        _box((0, 0, floor), (0.9, width, 0.7 * deck)),
        _dome((0, 0, floor), (1.0, 0.97 * width, deck)),
        _dome((place, 0, floor + 0.5 * deck), (cabin, 0.85 * width, roof)),
    ]
    for side in SIDES:
        for end in SIDES:
            solids.append(_dome((0.58 * end, 0.92 * side * width, wheel), (wheel, 0.06, wheel)))
    return solids


PLANS = {"animal": _animal, "human": _human, "airplane": _airplane, "truck": _truck, "car": _car}
