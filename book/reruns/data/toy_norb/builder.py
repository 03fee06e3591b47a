"""A generated stand-in for NORB: stereo views of toy bodies of five categories, plain or jittered and cluttered."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from reruns.data.toy_norb.bodies import CATEGORIES, INSTANCES
from reruns.data.toy_norb.clutter import BODY_JITTER, IMAGE_JITTER, Clutter, jittered
from reruns.data.toy_norb.scenes import AZIMUTHS, ELEVATIONS, LIGHTINGS, PIXELS, Block, Views, uniform

SEED = 2010
ALL = Views()


@dataclasses.dataclass(eq=False)
class ToyNorbConfig(tfds.core.BuilderConfig):
    """What is generated: every view once over a plain table or, given `clutter`, jittered scenes with a sixth class."""

    seed: int = SEED
    views: Views = ALL
    clutter: Clutter | None = None


class ToyNorb(tfds.core.GeneratorBasedBuilder):
    """Stereo pairs of 32x32 grey pixels; five instances of each category are there to train, five others to test.

    The same configuration gives the same bytes on one machine; another processor may round a pixel differently.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First bodies."}  # noqa: RUF012 - tfds's own idiom
    BUILDER_CONFIGS = [  # noqa: RUF012 - tfds's own idiom
        ToyNorbConfig(name="small", description="24,300 pairs to train and as many to test, as in small NORB."),
        ToyNorbConfig(
            name="jittered_cluttered",
            description="29,160 pairs to train and 14,580 to test, as many without a body as of each category.",
            clutter=Clutter(),
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        names = CATEGORIES if self.builder_config.clutter is None else (*CATEGORIES, "none")
        features: dict[str, Any] = {
            "image": tfds.features.Image(shape=(PIXELS, PIXELS, 1), encoding_format="png"),
            "image2": tfds.features.Image(shape=(PIXELS, PIXELS, 1), encoding_format="png"),
            "label_category": tfds.features.ClassLabel(names=names),
            "instance": tfds.features.ClassLabel(num_classes=10),
            "elevation": tfds.features.ClassLabel(num_classes=len(ELEVATIONS)),
            "azimuth": tfds.features.ClassLabel(num_classes=len(AZIMUTHS)),
            "lighting": tfds.features.ClassLabel(num_classes=len(LIGHTINGS)),
        }
        if self.builder_config.clutter is not None:
            features |= {jitter: np.float32 for jitter in (*BODY_JITTER, *IMAGE_JITTER)}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label_category")
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {split: self._generate_examples(split) for split in INSTANCES}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
        key = 0
        for block in blocks(split, self.builder_config):
            for values in zip(*block.values(), strict=True):
                yield key, dict(zip(block, values, strict=True))
                key += 1


def blocks(split: str, config: ToyNorbConfig) -> Iterator[Block]:
    """Yield the pairs of a split as arrays by the names of the features, some pairs at a time."""
    if config.clutter is None:
        return uniform(split, config.seed, config.views)
    return jittered(split, config.seed, config.views, config.clutter)
