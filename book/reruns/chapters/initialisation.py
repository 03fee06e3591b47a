"""He's initial weights against Xavier's in plain networks of 10 and 30 layers, and weight decay on PReLU's slopes."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

import keras_rectifiers as kr
from reruns import networks, verdicts
from reruns.data import pipelines


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared.
    initializers: tuple[str, ...] = ("He", "Xavier")
    depths: tuple[int, ...] = (10, 30)
    slope_decays: tuple[float, ...] = (0.0, 5e-4)
    # Fixed, the same for all.
    width: int = 100
    learning_rate: float = 0.003
    momentum: float = 0.9
    batch: int = 64
    epochs: int = 4
    slope_depth: int = 8
    slope_epochs: int = 10
    train: int | None = None


SCALES = {"live": Config(train=12000, slope_epochs=2), "paper": Config()}
SEEDS = {"live": 1, "paper": 5}

# Fixed before the recorded runs: H-2 and H-3 of the chapter. Training errors in percent.
HE_RATIO = (0.3, 3.0)  # of the variances, last over first layer, by the geometric mean
XAVIER_FACTOR = 10.0  # from 2^-29, the ratio in theory
TRAINED, STALLED = 20.0, 70.0
SEEDS_OF_FIVE = 0.8


# Both with the fan-in. The paper's Xavier is its own reading of Glorot and Bengio: a variance of 1 / n (section 2.2),
# which Keras calls LeCun's; Keras's Glorot initializers take the mean of fan-in and fan-out.
INITIALIZERS = {"He": keras.initializers.HeNormal, "Xavier": keras.initializers.LecunNormal}


def data(config: Config) -> dict:
    """Return the record of the data."""
    return pipelines.mnist(config.batch, seed=0, train=config.train).record


def run(config: Config, seed: int) -> dict[str, dict]:
    """Train every network from one seed."""
    return {
        "depth": {
            str(depth): {name: plain(name, depth, config, seed) for name in config.initializers}
            for depth in config.depths
        },
        "slope_decay": {str(decay): decayed(decay, config, seed) for decay in config.slope_decays},
    }


def plain(initializer: str, depth: int, config: Config, seed: int) -> dict:
    """Train a plain ReLU network and return its training loss by epoch and its training error, in percent."""
    model = networks.perceptron("ReLU", depth, config.width, seed, INITIALIZERS[initializer])
    return _trained(model, config.epochs, config, seed)


def decayed(decay: float, config: Config, seed: int) -> dict:
    """Train a PReLU network with weight decay on its slopes alone, and return the slopes besides."""
    layers: list[keras.layers.Layer] = [keras.Input((28, 28, 1)), keras.layers.Flatten()]
    for number in range(config.slope_depth):
        normal = keras.initializers.HeNormal(seed=1000 * seed + number)
        slopes = kr.PReLU(alpha_regularizer=keras.regularizers.L2(decay) if decay else None)
        layers += [keras.layers.Dense(config.width, kernel_initializer=normal), slopes]
    last = keras.initializers.HeNormal(seed=1000 * seed + config.slope_depth)
    model = keras.Sequential([*layers, keras.layers.Dense(10, kernel_initializer=last)])
    trained = _trained(model, config.slope_epochs, config, seed)
    of_layers = [np.abs(layer.get_weights()[0]).mean() for layer in model.layers if isinstance(layer, kr.PReLU)]
    return {**trained, "mean_slopes": [float(mean) for mean in of_layers]}


def _trained(model: keras.Model, epochs: int, config: Config, seed: int) -> dict:
    keras.utils.set_random_seed(seed)
    splits = pipelines.mnist(config.batch, seed, config.train)
    model.compile(
        keras.optimizers.SGD(config.learning_rate, momentum=config.momentum),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(splits.train, epochs=epochs, verbose=0, shuffle=False).history
    final = model.evaluate(splits.train, verbose=0, return_dict=True)
    return {"train_loss": history["loss"], "train_error": 100 * (1 - final["accuracy"])}


def variance_ratios(initializer: str, slope: float, draws: int = 20, depth: int = 30, width: int = 512) -> np.ndarray:
    """Return, for each draw of a random network, the variance of its last pre-activations over that of its first.

    With a slope the initializer's variance is divided by 1 + slope^2, as the paper does.
    """
    rng = np.random.default_rng(2015)
    gain = {"He": 2.0, "Xavier": 1.0}[initializer] / (1 + slope**2)
    unit = kr.PReLU(alpha_initializer=keras.initializers.Constant(slope))
    ratios = []
    for _ in range(draws):
        x = rng.standard_normal((64, width)).astype("float32")
        variances = []
        for _ in range(depth):
            y = x @ (rng.standard_normal((width, width)) * np.sqrt(gain / width)).astype("float32")
            variances.append(float(np.mean(y**2)))
            x = np.asarray(unit(y))
        ratios.append(variances[-1] / variances[0])
    return np.array(ratios)


def slope_gradient_error(shared: bool) -> float:
    """Return how far a slope's gradient by backpropagation is from the paper's equations 2 and 3, in float64."""
    rng = np.random.default_rng(2015)
    y, upstream = rng.standard_normal((2, 16, 5, 5, 8))
    layer = kr.PReLU(shared_axes=[1, 2, 3] if shared else "spatial", dtype="float64")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.constant(y)) * upstream)
    (found,) = tape.gradient(loss, layer.trainable_variables)
    expected = np.where(y > 0, 0, upstream * y).sum(axis=(0, 1, 2, 3) if shared else (0, 1, 2))
    return float(np.abs(np.ravel(found) - np.ravel(expected)).max() / np.abs(expected).max())


def errors(results: dict, depth: int, initializer: str) -> np.ndarray:
    """Return the training errors of the networks of a depth and an initializer, one a seed."""
    runs = results["runs"].values()
    return np.array([run["metrics"]["depth"][str(depth)][initializer]["train_error"] for run in runs], float)


def slopes(results: dict, decay: float) -> np.ndarray:
    """Return the mean absolute slopes, one row a seed and one column a layer."""
    runs = results["runs"].values()
    return np.array([run["metrics"]["slope_decay"][str(decay)]["mean_slopes"] for run in runs], float)


def judged(results: dict) -> list[verdicts.Judged]:
    """Return the verdict on each recorded claim."""
    shallow, deep = results["config"]["depths"]
    he, xavier = (errors(results, deep, name) for name in ("He", "Xavier"))
    apart = (he < TRAINED) & (xavier > STALLED)
    both = [(errors(results, shallow, name) < TRAINED).all() for name in ("He", "Xavier")]
    without, with_decay = (slopes(results, decay).mean(axis=1) for decay in results["config"]["slope_decays"])
    pulled = verdicts.paired(without - with_decay)
    return [
        verdicts.Judged(
            f"H-3: {deep} layers of ReLU train from He's weights and stall from Xavier's; {shallow} train from both",
            f"training error below {TRAINED:g} % against above {STALLED:g} % in four of five seeds; "
            f"at {shallow} layers below {TRAINED:g} % in all",
            f"{apart.sum()} of {len(apart)} seeds; at {shallow} layers {'all' if all(both) else 'not all'}",
            verdicts.exact(apart.mean() >= SEEDS_OF_FIVE and all(both)),
        ),
        verdicts.Judged(
            "H-7: weight decay on the slopes pulls them towards 0",
            "difference of the mean absolute slopes, L > 0",
            verdicts.described(pulled),
            pulled.word,
        ),
    ]


def lines(metrics: dict[str, dict]) -> list[str]:
    """Return a line to print for each network of a run."""
    plain = [
        f"{depth} layers  {name:6s}  training error {m['train_error']:.1f} %"
        for depth, of_depth in metrics["depth"].items()
        for name, m in of_depth.items()
    ]
    return plain + [
        f"slope decay {decay}  mean |slope| {np.mean(m['mean_slopes']):.3f}  training error {m['train_error']:.1f} %"
        for decay, m in metrics["slope_decay"].items()
    ]
