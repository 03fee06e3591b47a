"""Film reviews that nobody wrote: words at random, more of the praise in the good ones. They stand in for real ones."""

from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

SIZES = {"train": 2000, "validation": 500, "test": 1000}
OPINIONS = (
    "awful boring dull bland clumsy tedious lifeless predictable shallow messy annoying pointless forgettable",
    "superb moving funny gripping clever charming vivid touching original subtle brilliant warm memorable",
)
NEUTRAL = (
    "the a of and to in it is was this that film story plot scene actor actress director camera music script ending "
    "character dialogue part minutes people time one first second night city house train summer street letter friend "
    "mother father brother sister teacher doctor dog river winter dinner window road war island garden detective"
)
# A review holds some opinions, most of them of its own side; before some stands a word that turns them round.
OPINION, AGREES, NEGATED = 0.12, 0.7, 0.15


class ToyReviews(tfds.core.GeneratorBasedBuilder):
    """Generated reviews of two kinds, as many of each."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["neg", "pos"])}
            ),
            supervised_keys=("text", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {split: self._generate_examples(number, size) for number, (split, size) in enumerate(SIZES.items())}

    def _generate_examples(self, number: int, size: int) -> Iterator[tuple]:
        rng = np.random.default_rng([2011, number])
        for position in range(size):
            yield position, {"text": review(rng, position % 2), "label": position % 2}


def review(rng: np.random.Generator, label: int) -> str:
    """Return the words of one review, in sentences."""
    # As in any language, the second word is half as common as the first.
    neutral = NEUTRAL.split()
    common = 1 / np.arange(1, len(neutral) + 1)
    words = list(rng.choice(neutral, size=rng.integers(30, 120), p=common / common.sum()))
    for place in np.flatnonzero(rng.random(len(words)) < OPINION):
        negated = rng.random() < NEGATED
        side = label if (rng.random() < AGREES) != negated else 1 - label
        words[place] = ("not " if negated else "") + rng.choice(OPINIONS[side].split())
    ends = np.flatnonzero(rng.random(len(words)) < 0.1)
    return " ".join(word + "." * (place in ends) for place, word in enumerate(words)) + "."
