"""The network that is served: film reviews as they were written go in, the probability that they praise comes out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reruns import exports, verdicts
from reruns.data import pipelines, sources
from reruns.results import Results

# Three layers of rectifiers, pre-trained.
FACTORS_OF_IT: dict[str, Any] = {"unit": "rectifier", "layers": 3, "pretrained": True}
# Ours, for a review is its author's: of praise and blame, of both, of nothing, and of letters that English has not.
PROBES = (
    "A wonderful film, warm and funny, with superb actors. The best that I have seen this year.",
    "Dull, clumsy and far too long: two hours wasted. The script is awful and the ending is worse.",
    "Not bad, but not good either.",
    "The camera was moving, the story was not.<br /><br />I left before the end!",
    "Entzückend, großartig - 映画.",
    "",
)


def best(results: Results) -> int:
    """Return the seed of the network that validated best; the test set takes no part."""
    table = results.where(**FACTORS_OF_IT).table
    errors = table["validation_error"].astype(float)
    return int(table["seed"][errors.idxmin()])


def rates(results: Results) -> dict[str, Any]:
    """Return the learning rates of the networks of which one is served."""
    factors = results.where(**FACTORS_OF_IT).rows[0]["factors"]
    return {name: factors[name] for name in ("pretraining_rate", "rate")}


def of_texts(config: Any, network: keras.Sequential) -> keras.Model:
    """Return a network of logits behind what looks up the words of a text, with softmax on top."""
    found = sources.find("imdb")
    words = pipelines.bag_of_words(found.builder, config.terms, pipelines.review_splits()[0])
    texts = keras.Input((), dtype="string", name="reviews")
    # The first column stands for all words that are not known.
    known = words(texts)[:, 1:]
    return keras.Model(texts, keras.layers.Softmax(name="probabilities")(network(known)))


def export(config: Any, network: keras.Sequential, test_error: float, seed: int) -> Path:
    """Write the network to savedmodels/reviews, with texts of our own as its probe."""
    found = sources.find("imdb")
    splits = pipelines.imdb(config.batch, seed, config.terms)
    texts = np.array([text.encode() for text in PROBES], dtype=object)
    card = {
        "model": f"{config.terms} words - 3 x {config.width} rectifiers - 2, pre-trained as denoising autoencoders",
        "command": "python -m reruns sentiment --scale paper, from book/",
        "seed": seed,
        "data": splits.record,
        "class_names": found.builder.info.features["label"].names,
        "licence_of_the_data": "Large Movie Review Dataset, by Andrew Maas and others 2011: none is stated",
        "metric": verdicts.share("test accuracy, percent", 100 - test_error, splits.record["sizes"]["test"]),
    }
    return exports.export(of_texts(config, network), "reviews", {"reviews": texts}, card)


def probabilities(model: keras.Model, texts: list[str]) -> np.ndarray:
    """Return of each text the probability that it praises."""
    return np.asarray(model(tf.constant(texts)))[:, 1]
