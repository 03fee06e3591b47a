"""Do the distortions follow their formulas and draws, repeat with the seed, and leave labels and level 0 alone?"""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, stats

from reruns.data import distortion as dc

KINDS = (
    *("slant", "thickness", "affine", "elastic", "pinch"),
    *("occlusion", "permutation", "gaussian", "background", "salt_and_pepper"),
)


def characters(count, size=28, dtype="float32"):
    """Return images with strokes, greys and an empty margin."""
    noise = np.random.default_rng(7).uniform(0, 1, (count, size, size))
    images = np.clip(4 * ndimage.gaussian_filter(noise, (0, 1.5, 1.5)) - 1.7, 0, 1)
    images[:, :4], images[:, -4:], images[..., :4], images[..., -4:] = 0, 0, 0, 0
    images = (255 * images).round()[..., None]
    return images.astype("uint8") if dtype == "uint8" else (images / 255).astype("float32")


def alone(kind, levels):
    """Return levels of one kind, the others 0."""
    zeros = tf.zeros(len(levels))
    return {other: tf.constant(levels, tf.float32) if other == kind else zeros for other in KINDS}


def applied(images, kind, level, seed=(3, 4)):
    return dc.apply(images, alone(kind, [level] * len(images)), tf.constant(seed)).numpy()[..., 0]


# What is left alone.


@pytest.mark.parametrize(("dtype", "size"), [("uint8", 28), ("float32", 28), ("uint8", 32), ("float32", 32)])
def test_complexity_0_returns_every_bit_and_complexity_1_keeps_dtype_shape_and_range(dtype, size):
    images = characters(40, size, dtype)
    kept = dc.distort(images, (1, 2), complexity=0)
    assert kept.dtype == dtype
    assert kept.numpy().tobytes() == images.tobytes()
    changed = dc.distort(images, (1, 2), complexity=1).numpy()
    assert (changed.dtype, changed.shape) == (images.dtype, images.shape)
    assert changed.min() >= 0 and changed.max() <= (255 if dtype == "uint8" else 1)
    assert all((a != b).mean() > 0.05 for a, b in zip(images, changed, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_in_one_batch_each_image_follows_its_own_level(kind):
    images = np.repeat(characters(1), 16, 0)
    images[8:] = images[8:, ::-1]  # another character, for the occlusion
    changed = dc.apply(images, alone(kind, [0, 0.9] * 8), tf.constant([5, 6])).numpy()
    assert changed[::2].tobytes() == images[::2].tobytes()
    assert len({image.tobytes() for image in changed[1:8:2]}) > 1


def test_an_image_alone_in_its_batch_is_not_occluded_and_an_empty_batch_stays_empty():
    images = characters(1)
    np.testing.assert_array_equal(applied(images, "occlusion", 1.0), images[..., 0])
    assert dc.distort(images[:0], (1, 2)).shape == (0, 28, 28, 1)


def test_bytes_are_rounded_from_the_same_images_as_floats():
    images = characters(50, dtype="uint8")
    floats = dc.distort((images / 255).astype("float32"), (1, 2), 1.0).numpy()
    np.testing.assert_allclose(dc.distort(images, (1, 2), 1.0), 255 * floats, atol=0.501)


# Shape.


def test_resampling_is_bilinear_with_zeros_outside(rng):
    images = rng.uniform(0, 1, (3, 8, 12, 1)).astype("float32")
    points = rng.uniform(-10, 10, (3, 2, 96)).astype("float32")
    resampled = dc.resample(images, points).numpy()[..., 0]
    for image, (x, y), result in zip(images, points, resampled, strict=True):
        expected = ndimage.map_coordinates(image[..., 0], [y + 3.5, x + 5.5], order=1, mode="grid-constant")
        np.testing.assert_allclose(result.ravel(), expected, atol=2e-6)
    assert (resampled == 0).any()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact(turns):
    images = characters(3)
    points = np.linalg.matrix_power([[0, -1], [1, 0]], turns) @ dc.centred_grid(28, 28).numpy()
    turned = dc.resample(images, np.tile(points, (3, 1, 1)).astype("float32")).numpy()
    np.testing.assert_array_equal(turned, np.rot90(images, turns, (1, 2)))


def test_whole_translations_move_pixels_and_half_ones_average_them():
    images = characters(2)
    grid = dc.centred_grid(28, 28).numpy()[None]
    moved = dc.resample(images, np.tile(grid + np.array([[2], [-3]]), (2, 1, 1)).astype("float32")).numpy()
    np.testing.assert_array_equal(moved[:, 3:, :-2], images[:, :-3, 2:])
    assert (moved[:, :3] == 0).all() and (moved[:, :, -2:] == 0).all()
    half = dc.resample(images, np.tile(grid + np.array([[0.5], [0]]), (2, 1, 1)).astype("float32")).numpy()
    np.testing.assert_allclose(half[:, :, :-1], (images[:, :, 1:] + images[:, :, :-1]) / 2, atol=1e-6)


def sources(kind, count=300):
    """Return where the pixels of images distorted at level 1 come from, as (count, xy, row, column)."""
    seeds = {other: tf.constant([8, number]) for number, other in enumerate(KINDS)}
    points = dc._sources(tf.zeros((count, 28, 28, 1)), alone(kind, [1.0] * count), seeds)
    return points.numpy().reshape(count, 2, 28, 28)


def test_a_slant_shifts_each_row_by_its_height():
    points = sources("slant")
    slopes = points[:, 0, 27, 0] - points[:, 0, 26, 0]
    rows, columns = np.mgrid[:28, :28] - 13.5
    np.testing.assert_allclose(points[:, 0], columns + slopes[:, None, None] * rows, atol=1e-4)
    np.testing.assert_array_equal(points[:, 1], np.broadcast_to(rows, (300, 28, 28)))
    assert stats.kstest(slopes, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_an_affine_map_carries_lines_to_lines_within_its_bounds():
    points = sources("affine")
    across, down = np.diff(points, axis=3), np.diff(points, axis=2)
    assert np.ptp(across, (2, 3)).max() < 1e-4 and np.ptp(down, (2, 3)).max() < 1e-4
    matrix = np.stack([across[..., 0, 0], down[..., 0, 0]], -1) - np.eye(2)
    for drawn, bound in ((matrix, 0.3), (points.mean((2, 3)), 4.0)):
        assert stats.kstest(drawn.ravel(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3


def test_the_elastic_field_displaces_by_two_pixels_and_the_pinch_by_its_range():
    rows, columns = np.mgrid[:28, :28] - 13.5
    displaced = sources("elastic") - np.stack([columns, rows])
    assert stats.kstest(displaced[:, :, 5, 5].ravel(), stats.norm(0, 2).cdf).pvalue > 1e-3
    # At (4.5, 4.5) the sine is known, so that the amount of each pinch can be read off.
    ratio = sources("pinch")[:, 0, 18, 18] / 4.5
    amounts = -np.log(ratio) / np.log(np.sin(np.pi / 2 * 4.5 * np.sqrt(2) / 14))
    assert stats.binomtest(int((amounts < 0).sum()), 300).pvalue > 1e-3
    for drawn, bound in ((amounts[amounts > 0], 0.7), (-amounts[amounts < 0], 1)):
        assert stats.kstest(drawn, stats.uniform(0, bound).cdf).pvalue > 1e-3


def test_a_pinch_follows_its_formula_and_keeps_what_lies_outside():
    points = tf.constant([[[3.0, 0.0, 20.0], [0.0, -9.0, 0.0]]])
    # A third of the way out the sine is a half: the point moves to half or twice its distance.
    np.testing.assert_allclose(dc.pinch(points, tf.constant([-1.0]), 9.0)[0, 0], [1.5, 0, 20], atol=1e-5)
    np.testing.assert_allclose(dc.pinch(points, tf.constant([1.0]), 9.0)[0, 0], [6.0, 0, 20], atol=1e-5)
    np.testing.assert_allclose(dc.pinch(points, tf.constant([1.0]), 9.0)[0, 1], [0, -9, 0], atol=1e-5)
    assert np.isfinite(dc.pinch(tf.zeros((1, 2, 1)), tf.constant([0.7]), 9.0)).all()


def test_elastic_fields_are_gaussian_blurs_of_white_noise_with_variance_1(rng):
    white = rng.normal(size=(2000, 1, 20, 28)).astype("float32")
    smooth = dc.smooth(tf.constant(white), 3.0).numpy()
    response = ndimage.gaussian_filter1d(np.eye(28), 3.0, axis=0, mode="constant", truncate=12)
    rows = ndimage.gaussian_filter1d(np.eye(20), 3.0, axis=0, mode="constant", truncate=12)
    blurred = ndimage.gaussian_filter(white[:5, 0], (0, 3, 3), mode="constant", truncate=12)
    expected = blurred / np.sqrt(np.outer((rows**2).sum(1), (response**2).sum(1)))
    np.testing.assert_allclose(smooth[:5, 0], expected, atol=1e-4)
    assert stats.kstest(smooth[:, 0, 0, 0], "norm").pvalue > 1e-3
    assert stats.kstest(smooth[:, 0, 10, 14], "norm").pvalue > 1e-3


def test_thickness_is_dilation_and_erosion_and_blends_between_radii(rng):
    images = rng.uniform(0, 1, (1, 28, 28, 1)).astype("float32")
    radii = np.array([-1, -0.5, 0, 0.25, 1, 1.5, 2], "float32")
    thickened = dc.thicken(np.repeat(images, len(radii), 0), tf.constant(radii)).numpy()[..., 0]
    image = images[0, ..., 0]
    eroded = ndimage.grey_erosion(image, (3, 3), mode="constant", cval=1)
    near, far = ndimage.grey_dilation(image, (3, 3)), ndimage.grey_dilation(image, (5, 5))
    expected = [eroded, (image + eroded) / 2, image, 0.75 * image + 0.25 * near, near, (near + far) / 2, far]
    np.testing.assert_allclose(thickened, expected, atol=1e-6)


def test_thickness_dilates_half_of_the_images_by_two_pixels_and_erodes_the_others_by_less():
    images = np.repeat(characters(1), 300, 0)
    image, thickened = images[0, ..., 0], applied(images, "thickness", 1.0)
    eroded = 0.4 * image + 0.6 * ndimage.grey_erosion(image, (3, 3), mode="constant", cval=1)
    thin = np.abs(thickened - eroded).max((1, 2)) < 1e-6
    thick = np.abs(thickened - ndimage.grey_dilation(image, (5, 5))).max((1, 2)) < 1e-6
    assert (thin ^ thick).all()
    assert stats.binomtest(int(thin.sum()), 300).pvalue > 1e-3


def test_all_changes_of_shape_are_one_gather():
    graph = tf.function(dc.distort, autograph=False).get_concrete_function(
        tf.TensorSpec((None, 28, 28, 1)), tf.TensorSpec(2, tf.int32)
    )
    gathers = [operation.type for operation in graph.graph.get_operations() if "Gather" in operation.type]
    assert gathers == ["GatherV2"]


# Noise.


def test_an_occlusion_draws_a_rectangle_of_another_image_where_it_is_brighter():
    images = np.full((600, 28, 28, 1), 0.2, "float32")
    images[300:] = 0.9
    for level in (0.4, 1.0):
        drawn = applied(images, "occlusion", level)
        assert (drawn[300:] == images[300:, ..., 0]).all()
        changed = drawn[:300] == images[300, 0, 0, 0]
        assert (changed | (drawn[:300] == images[0, 0, 0, 0])).all()
        rectangles = changed[changed.any((1, 2))]
        assert len(rectangles) > 100
        np.testing.assert_array_equal(rectangles, rectangles.any(2)[:, :, None] & rectangles.any(1)[:, None])
        # Half a side is a uniform share of the image's, the centre uniform in it: of a side of 1 it covers 2a - a^2.
        half = level * np.linspace(0.25, 0.5, 1001)
        for axis in (1, 2):
            assert abs(rectangles.any(axis).mean() - (2 * half - half**2).mean()) < 0.03


def test_a_permutation_moves_pixels_by_one_and_loses_none(rng):
    images = rng.permuted(np.linspace(0, 1, 20 * 784, dtype="float32")).reshape(20, 28, 28, 1)
    permuted = applied(images, "permutation", 0.9)
    for image, moved in zip(images[..., 0], permuted, strict=True):
        np.testing.assert_array_equal(np.sort(image, None), np.sort(moved, None))
        where = {value: np.array(place) for place, value in np.ndenumerate(image)}
        assert max(np.abs(where[value] - place).max() for place, value in np.ndenumerate(moved)) == 1
    # Swapped along neither axis: 0.7 squared.
    assert abs((permuted == images[..., 0]).mean() - 0.49) < 0.02


def test_gaussian_noise_has_a_tenth_of_the_level_as_its_deviation():
    noisy = applied(np.full((50, 28, 28, 1), 0.5, "float32"), "gaussian", 0.8)
    assert stats.kstest(noisy.ravel()[::5], stats.norm(0.5, 0.08).cdf).pvalue > 1e-3


def test_salt_and_pepper_replace_a_fifth_of_the_level():
    noisy = applied(np.full((50, 28, 28, 1), 0.5, "float32"), "salt_and_pepper", 0.5)
    for value, share in ((0, 0.05), (1, 0.05), (0.5, 0.9)):
        assert stats.binomtest(int((noisy == value).sum()), noisy.size, share).pvalue > 1e-3


def test_a_background_lies_behind_the_character():
    images = np.zeros((8, 28, 28, 1), "float32")
    images[:, 10:15] = 1
    faint, strong = (applied(images, "background", level) for level in (0.2, 1.0))
    assert (faint[:, 10:15] == 1).all() and (strong[:, 10:15] == 1).all()
    np.testing.assert_allclose(strong[:, :10], 5 * faint[:, :10], rtol=1e-5)
    assert 0 < strong[:, :10].min() < 0.1 < 0.5 < strong[:, :10].max() < 1
    # A texture: neighbours are alike.
    assert np.corrcoef(strong[:, :9].ravel(), strong[:, 1:10].ravel())[0, 1] > 0.5


# Draws.


def test_complexity_scales_levels_and_rates():
    levels = dc.draw_levels(20000, tf.constant([1, 2]), 0.6, KINDS)
    assert tuple(levels) == KINDS
    for kind, rate in zip(KINDS, (1, 1, 1, 1, 1, 0.4, 0.2, 0.3, 0.5, 0.25), strict=True):
        drawn = levels[kind].numpy()
        assert stats.binomtest(int((drawn > 0).sum()), 20000, 0.6 * rate).pvalue > 1e-3, kind
        assert stats.kstest(drawn[drawn > 0], stats.uniform(0, 0.6).cdf).pvalue > 1e-3, kind
    assert np.abs(np.corrcoef([levels[kind] for kind in KINDS]) - np.eye(10)).max() < 0.03


def test_nistp_has_the_changes_of_shape_alone_and_they_do_not_depend_on_the_others():
    nistp, everything = (dc.draw_levels(50, tf.constant([1, 2]), 0.7, kinds) for kinds in (dc.NISTP, KINDS))
    for number, kind in enumerate(KINDS):
        expected = everything[kind] if number < 5 else tf.zeros(50)
        np.testing.assert_array_equal(nistp[kind], expected)


def test_the_seed_decides_and_images_alike_are_distorted_differently():
    images = np.repeat(characters(1), 30, 0)
    first, again, other, neighbour = (dc.distort(images, seed).numpy() for seed in ((1, 2), (1, 2), (2, 1), (1, 3)))
    assert first.tobytes() == again.tobytes()
    assert (first != other).any((1, 2, 3)).all() and (first != neighbour).any((1, 2, 3)).all()
    assert len({image.tobytes() for image in first}) == 30


def batches(count=25, batch=10):
    images = np.repeat(characters(1, dtype="uint8"), count, 0)
    return tf.data.Dataset.from_tensor_slices((images, np.arange(count), -np.arange(count))).batch(batch)


def passes(dataset, count=2):
    return [[np.concatenate(part) for part in zip(*dataset.as_numpy_iterator(), strict=True)] for _ in range(count)]


def test_a_distorted_dataset_repeats_with_its_seed_and_goes_on_from_pass_to_pass():
    dataset = dc.distorted(batches(), seed=5)
    whole = tf.data.Dataset.from_tensor_slices((characters(20), np.arange(20))).batch(10, drop_remainder=True)
    assert dataset.element_spec == batches().element_spec
    assert dc.distorted(whole, seed=5).element_spec == whole.element_spec
    assert dataset.cardinality() == 3
    (first, labels, others), (second, *_) = passes(dataset)
    (again, *_), (again_second, *_) = passes(dc.distorted(batches(), seed=5))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(second, again_second)
    np.testing.assert_array_equal(labels, np.arange(25))
    np.testing.assert_array_equal(others, -np.arange(25))
    # No batch repeats another, nor itself in the next pass.
    assert len({image.tobytes() for image in np.concatenate([first, second])}) == 50
    (other_seed, *_), _ = passes(dc.distorted(batches(), seed=6))
    assert (first != other_seed).any()


def test_a_dataset_at_complexity_0_is_unchanged():
    for before, after in zip(batches(), dc.distorted(batches(), 5, complexity=0), strict=True):
        np.testing.assert_array_equal(before[0], after[0])


# Refusals.


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        (np.zeros((2, 28, 28, 1), "float64"), {}, "Expected images of dtype uint8 or float32. Received: float64"),
        (np.zeros((2, 28, 28, 1), "int32"), {}, "Received: int32"),
        (np.zeros((2, 28, 28), "uint8"), {}, r"\(batch, height, width, 1\) .* Received: \((2|None), 28, 28\)"),
        (np.zeros((2, 28, 28, 3), "uint8"), {}, r"Received: \((2|None), 28, 28, 3\)"),
        (np.zeros((2, 28, 27, 1), "uint8"), {}, r"even sides. Received: \((2|None), 28, 27, 1\)"),
        (np.zeros((2, 28, 28, 1), "uint8"), {"complexity": 1.01}, "complexity from 0 to 1. Received: 1.01"),
        (np.zeros((2, 28, 28, 1), "uint8"), {"complexity": -0.01}, "Received: -0.01"),
        (np.zeros((2, 28, 28, 1), "uint8"), {"complexity": float("nan")}, "Received: nan"),
        (np.zeros((2, 28, 28, 1), "uint8"), {"complexity": "0.7"}, "Received: '0.7'"),
        (np.zeros((2, 28, 28, 1), "uint8"), {"kinds": ("slant", "blur")}, r"among slant, .* Received: .*blur"),
        (np.zeros((2, 28, 28, 1), "uint8"), {"kinds": "slant"}, "Received: 'slant'"),
    ],
)
def test_what_cannot_be_distorted_is_refused(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        dc.distort(images, (1, 2), **arguments)
    with pytest.raises(ValueError, match=message):
        dc.distorted(tf.data.Dataset.from_tensor_slices((images, np.zeros(2))).batch(2), 1, **arguments)


def test_a_dataset_without_labels_is_refused():
    with pytest.raises(ValueError, match="Expected a dataset of tuples .* Received: TensorSpec"):
        dc.distorted(batches().map(lambda images, *_: images), 1)


def test_a_wrong_seed_is_refused():
    with pytest.raises(ValueError, match="Expected an integer seed. Received: None"):
        dc.distorted(batches(), None)
    with pytest.raises(ValueError, match=r"Expected a seed of two integers. Received: 5"):
        dc.distort(characters(2), 5)


def test_the_picture_has_a_row_for_each_distortion():
    from reruns.chapters.data import distortion_picture

    figure = distortion_picture.distortions(characters(3, dtype="uint8"))
    rows = [axis.get_ylabel().replace("\n", "_") for axis in figure.axes if axis.get_ylabel()]
    assert rows == ["none", *KINDS, "NISTP", "all"]
    panels = np.array([axis.images[0].get_array() for axis in figure.axes]).reshape(13, 3, 28, 84)
    assert (panels[0] == panels[0, 0]).all()
    assert all((row[1:] != panels[0, 0]).any((1, 2)).all() for row in panels[1:])
    distortion_picture.plt.close(figure)
