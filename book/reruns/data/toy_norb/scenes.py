"""Shaded stereo views of toy bodies by rays in closed form, in numpy alone.

Two parallel cameras look at a body from the edge of a turntable. Both images show the same window of the plane through
its middle that faces the cameras: what lies in that plane is at the same place in both, and what is nearer is further
right in the left camera's image than in the right's.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from reruns.data.toy_norb.bodies import CATEGORIES, INSTANCES, Solid, body

DISTANCE = 5.0  # of the cameras from the body's middle, in radii of the body
BASELINE = 0.8  # from the left camera to the right
HALF_WINDOW = 1.0  # from the middle of the window to its edge
PIXELS = 32  # of an image's edge; it is rendered at twice that and averaged down

ELEVATIONS = np.radians(np.arange(30, 75, 5))
AZIMUTHS = np.radians(np.arange(0, 360, 20))
# Of each lighting: the lamp's azimuth from the cameras and its elevation in degrees, its strength, and the sky's.
LIGHTINGS = np.array(
    [
        (-70, 40, 0.75, 0.30),
        (70, 40, 0.75, 0.30),
        (-25, 60, 0.60, 0.45),
        (150, 45, 0.70, 0.25),
        (-140, 35, 0.80, 0.20),
        (30, 75, 0.95, 0.10),
    ]
)
BODY = (
    0.8  # the share of light that a body sends back: all alike, as NORB's toys were painted, so that only shape tells
)
TABLE = 0.5

# Arrays of as many rows, by the names of the features.
Block = dict[str, np.ndarray]
POSE = ("elevation", "azimuth", "lighting")


@dataclasses.dataclass(frozen=True)
class Views:
    """Which of the 9 elevations, 18 azimuths and 6 lightings are rendered, by their numbers."""

    elevations: tuple[int, ...] = tuple(range(9))
    azimuths: tuple[int, ...] = tuple(range(18))
    lightings: tuple[int, ...] = tuple(range(6))

    def __post_init__(self) -> None:
        for numbers, known in zip(dataclasses.astuple(self), (ELEVATIONS, AZIMUTHS, LIGHTINGS), strict=True):
            if not numbers or not set(numbers) <= set(range(len(known))):
                raise ValueError(f"Views are numbered from 0 to {len(known) - 1}, at least one. Received: {numbers}")

    def table(self) -> np.ndarray:
        """Return the numbers of elevation, azimuth and lighting, one row a view."""
        grid = np.meshgrid(self.elevations, self.azimuths, self.lightings, indexing="ij")
        return np.stack([numbers.ravel() for numbers in grid], 1)


def uniform(split: str, seed: int, views: Views) -> Iterator[Block]:
    """Yield all pairs of a split over a plain table, a block a body."""
    table = views.table()
    empty = table_levels()[table[:, 2], None, None, None]
    for category, name in enumerate(CATEGORIES):
        for instance in INSTANCES[split]:
            images = sprites(body(name, instance, seed), views)
            yield {
                **stereo(averaged(np.where(images > 0, images, empty))),
                "label_category": np.full(len(table), category),
                "instance": np.full(len(table), instance),
                **dict(zip(POSE, table.T, strict=True)),
            }


def stereo(pairs: np.ndarray) -> Block:
    """Return the images of the left and of the right camera as bytes, with an axis for the channel."""
    pixels = np.clip(np.rint(pairs), 0, 255).astype(np.uint8)[..., None]
    return {"image": pixels[:, 0], "image2": pixels[:, 1]}


def joined(blocks: Iterable[Block]) -> Block:
    """Return blocks as one."""
    every = list(blocks)
    return {name: np.concatenate([block[name] for block in every]) for name in every[0]}


def averaged(images: np.ndarray) -> np.ndarray:
    """Return images of half the edge, each pixel the mean of four."""
    quarters = [images[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
    return np.stack(quarters).mean(0, dtype=np.float32)


def table_levels() -> np.ndarray:
    """Return the grey level of the table, which lies flat, in each lighting."""
    _, elevation, lamp, sky = LIGHTINGS.T
    return np.clip(np.rint(255 * TABLE * (sky + lamp * np.sin(np.radians(elevation)))), 1, 255).astype(np.uint8)


def sprites(solids: list[Solid], views: Views) -> np.ndarray:
    """Return the views of a body as uint8 of shape (views, 2, edge, edge), left camera first: 0 is where nothing is."""
    edge = 2 * PIXELS
    shape = (len(views.elevations), len(views.azimuths), len(views.lightings), 2, edge * edge)
    pairs = np.zeros(shape, np.uint8)
    for row, elevation in enumerate(ELEVATIONS[list(views.elevations)]):
        for column, azimuth in enumerate(AZIMUTHS[list(views.azimuths)]):
            for eye, offset in enumerate((-BASELINE / 2, BASELINE / 2)):
                seen, normals = cast(solids, *rays(elevation, azimuth, offset, edge))
                # One body in one pose is cast once and lit six times.
                pairs[row, column, :, eye, seen] = shaded(normals, azimuth, LIGHTINGS[list(views.lightings)]).T
    return pairs.reshape(-1, 2, edge, edge)


def rays(elevation: float, azimuth: float, offset: float, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a camera's place (3,) and its rays (3, edge * edge), row by row from the top left."""
    towards = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
    up = np.cross(towards, right)
    camera = DISTANCE * towards + offset * right
    steps = HALF_WINDOW * ((2 * np.arange(edge) + 1) / edge - 1)
    x, y = np.tile(steps, edge), np.repeat(-steps, edge)
    return camera, np.outer(right, x) + np.outer(up, y) - camera[:, None]


def cast(solids: list[Solid], camera: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rays that meet a body and its outward unit normals (3, hits) where they first do."""
    depth = np.full(directions.shape[1], np.inf)
    normals = np.zeros_like(directions)
    for solid in solids:
        # In the solid's own frame it is a ball, a cylinder or a cube of radius 1.
        own = np.linalg.inv(solid.axes)
        start, along = own @ (camera - solid.centre), own @ directions
        reached = entry(solid.round, start, along)
        nearer = np.flatnonzero(reached < depth)
        depth[nearer] = reached[nearer]
        points = start[:, None] + reached[nearer] * along[:, nearer]
        normals[:, nearer] = own.T @ outward(solid.round, points)
    seen = np.flatnonzero(np.isfinite(depth))
    return seen, normals[:, seen] / np.linalg.norm(normals[:, seen], axis=0)


def entry(rounds: int, start: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return how far along each ray a unit solid begins: inf where the ray misses it."""
    near, far = np.full(along.shape[1], -np.inf), np.full(along.shape[1], np.inf)
    # The root of a ray that misses the round part, and the quotient of one within a face, is NaN: never nearer.
    with np.errstate(divide="ignore", invalid="ignore"):
        if rounds:
            o, d = start[:rounds, None], along[:rounds]
            square, product, rest = (d * d).sum(0), (o * d).sum(0), (o * o).sum() - 1
            root = np.sqrt(product * product - square * rest)
            near, far = (-product - root) / square, (-product + root) / square
        for o, d in zip(start[rounds:], along[rounds:], strict=True):
            one, other = (-1 - o) / d, (1 - o) / d
            near, far = np.maximum(near, np.minimum(one, other)), np.minimum(far, np.maximum(one, other))
        return np.where(near < far, near, np.inf)


def outward(rounds: int, points: np.ndarray) -> np.ndarray:
    """Return the outward direction at points of a unit solid's surface: that of its round side or of a face."""
    lengths = np.abs(points)
    lengths[:rounds] = np.sqrt((points[:rounds] ** 2).sum(0))
    return np.where(lengths == lengths.max(0), points, 0)


def shaded(normals: np.ndarray, azimuth: float, lightings: np.ndarray) -> np.ndarray:
    """Return grey levels of at least 1, one row a lighting: of a lamp far away and of a sky that the ground hides."""
    around, elevation, lamp, sky = lightings.T
    around, elevation = np.radians(around) + azimuth, np.radians(elevation)
    lamps = np.stack([np.cos(elevation) * np.cos(around), np.cos(elevation) * np.sin(around), np.sin(elevation)], 1)
    light = lamp[:, None] * np.maximum(0, lamps @ normals) + np.outer(sky, (1 + normals[2]) / 2)
    return np.clip(np.rint(255 * BODY * light), 1, 255).astype(np.uint8)
