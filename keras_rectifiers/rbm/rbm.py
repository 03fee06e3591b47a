"""Restricted Boltzmann machines as Keras models, trained by contrastive divergence."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import cases, checks, keys, noise, tensors
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm import gibbs, pseudo_likelihood, replicas, watching
from keras_rectifiers.rbm.units import Binary, Unit, biases_of, unit_of, width_of

HIDDEN_BIASES = ("free", "tied", "none")
STATISTICS = ("mean", "sample")
OFFSET_RATE = 0.01
_BINARY = Binary()
# Numbers of calls that `fit` does not count to, and of the noises under a call's key: of the two statistics, and the
# first of the sweeps.
_OF_WEIGHTS, _OF_CHAINS, _OF_INFERENCE = -1, -2, -3
_OF_DATA, _OF_MODEL, _OF_FIRST = 0, 1, 2


@keras.saving.register_keras_serializable(package="keras_rectifiers.rbm")
class RBM(keras.Model):
    r"""Restricted Boltzmann machine: two layers of units, each unit joined with all of the other layer.

    .. math::

        E(v, h) = -\log g(v) - \log g(h) - b \cdot v - c \cdot h - v W h, \quad p(v, h) \propto e^{-E(v, h)}

    `fit` trains it by contrastive divergence with any Keras optimizer: the loss is E(v, h) of the data less E(v, h) of
    the states to which `steps` sweeps of the Markov chain lead, with all states held fixed, so that its gradient is

    .. math::

        \langle v h \rangle_\text{model} - \langle v h \rangle_\text{data}

    for every statistic h. **The loss is a difference and may well be negative**; that it falls says little. Watch
    `reconstruction_error`, and `free_energy` of data that it was trained on beside data that it was not; of rectified
    machines `norm_ratio`, which `fit` adds to each epoch's logs.

    Args:
        units: hidden units, an integer of at least 1.
        visible: kind of the visible units, a unit of `keras_rectifiers.rbm`.
        hidden: kind of the hidden units.
        steps: sweeps of the chain for each gradient (k), an integer of at least 1.
        chains: None starts the chains at each batch's data (CD-k). An integer keeps so many chains from batch to batch
            (persistent contrastive divergence), which are saved with the model; under a distribution strategy they are
            shared out among the replicas, whose number divides theirs.
        hidden_bias: `"free"`, `"tied"` for one bias of all hidden units, or `"none"`.
        statistic: what stands for a hidden layer in the gradient: its `"mean"`, or a `"sample"`, which is noisier.
        centered: whether the gradient is that of the parameters of v less the data's mean and h less its moving
            average; the parameters themselves stay plain. For free hidden biases.
        kernel_scale: deviation of the normal initial weights, a positive number.
        kernel_regularizer: penalty on the weights; `keras.regularizers.L2(rate / 2)` is weight decay.
        kernel_constraint: bound on the weights; `NormRatio` keeps rectified machines from growing without bound.
        sparsity: regularizer that is called on the hidden units' means of each batch, such as `SparsityTarget`.
        seed: None or an integer in [0, 2**31), of initial weights, chains and sampling. Its state is saved.

    Input: float tensor of shape (batch, visible). Output: a dictionary of (batch, ...) tensors, `hidden`, the hidden
    units' means; `reconstruction`, the visible units' means after one sweep; `activity`, the share of hidden units
    whose input is above 0; and `free_energy`, where the units have log-partitions.

    Raises:
        ValueError: if an argument is none of the above, or `fit` is given data outside the visible units' range.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM
    >>> v = np.array([[1, 0, 1, 0], [0, 1, 0, 1]] * 50, "float32")
    >>> machine = RBM(units=2, seed=7)
    >>> machine.initialize(v)
    >>> machine.compile("sgd")
    >>> history = machine.fit(v, epochs=2, verbose=0)
    >>> tuple(machine.transform(v).shape)
    (100, 2)

    References: Nair and Hinton 2010, section 1; Melchior, Fischer and Wiskott 2016 for centering.
    """

    def __init__(
        self,
        units: int,
        visible: Unit = _BINARY,
        hidden: Unit = _BINARY,
        steps: int = 1,
        chains: int | None = None,
        hidden_bias: str = "free",
        statistic: str = "mean",
        centered: bool = False,
        kernel_scale: float = 0.01,
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        sparsity: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.compute_dtype not in ("float32", "float64"):
            raise checks.refusal("dtype", "float32 or float64", self.compute_dtype)
        self.units = checks.integer("units", units, least=1)
        self.visible = unit_of("visible", visible)
        self.hidden = unit_of("hidden", hidden)
        width_of((None, self.units), self.hidden)
        self.steps = checks.integer("steps", steps, least=1)
        self.chains = None if chains is None else checks.integer("chains", chains, least=1)
        self.hidden_bias = checks.choice("hidden_bias", hidden_bias, HIDDEN_BIASES)
        self.statistic = checks.choice("statistic", statistic, STATISTICS)
        self.centered = checks.boolean("centered", centered)
        if self.centered and self.hidden_bias != "free":
            raise checks.refusal("centered", 'False where `hidden_bias` is not "free"', centered)
        self.kernel_scale = checks.number("kernel_scale", kernel_scale, above=0.0)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.sparsity = keras.regularizers.get(sparsity)
        self.seed = checks.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.reconstruction_error = keras.metrics.Mean("reconstruction_error")
        self.activity = keras.metrics.Mean("activity")
        self.free_energy_of_batches = keras.metrics.Mean("free_energy") if self.pair.has_free_energy else None

    @property
    def pair(self) -> gibbs.Pair:
        """Return the kinds of the two layers."""
        return gibbs.Pair(self.visible, self.hidden)

    @property
    def tensors(self) -> gibbs.Parameters:
        """Return kernel, visible biases and hidden biases as tensors."""
        if not self.built:
            raise ValueError(f"Expected a machine that `initialize` or `fit` has given weights. Received: {self}")
        kernel, visible = map(ops.convert_to_tensor, (self.kernel, self.visible_biases))
        hidden = ops.zeros(1, kernel.dtype) if self.hidden_bias == "none" else ops.convert_to_tensor(self.hidden_biases)
        return gibbs.Parameters(kernel, visible, hidden)

    def build(self, input_shape: tuple) -> None:
        width = width_of(tensors.shape(input_shape, owner="RBM"), self.visible)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, self.units),
            initializer=self._drawn,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.visible_biases = self.add_weight(name="visible_biases", shape=(width,), initializer="zeros")
        size = {"free": self.units, "tied": 1, "none": 0}[self.hidden_bias]
        if size:
            self.hidden_biases = self.add_weight(name="hidden_biases", shape=(size,), initializer="zeros")
        if self.chains is not None:
            self.chain = self._state("chain", (self.chains, width), "only_first_replica")
        if self.centered:
            self.visible_offsets = self._state("visible_offsets", (width,), "only_first_replica")
            self.hidden_offsets = self._state("hidden_offsets", (self.units,), "mean")
        super().build(input_shape)

    def _drawn(self, shape: tuple, dtype: str) -> Tensor:
        # Keras's own initializers draw other numbers on each backend.
        return self.kernel_scale * noise.normal(shape, self._key_beside(_OF_WEIGHTS), dtype)

    def _state(self, name: str, shape: tuple, aggregation: str) -> keras.Variable:
        return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False, aggregation=aggregation)

    def initialize(self, data: Any) -> None:
        """Set the visible biases by the data's means, so that a machine without weights has them.

        Chains that are kept start from these biases, and the offsets of a centered machine at the means.

        Args:
            data: an array of shape (cases, visible), or an iterable of batches of them, such as a tf.data pipeline.
        """
        mean, cases = watching.mean_of(data, self.visible)
        if not self.built:
            self.build((None, len(mean)))
        biases = ops.cast(biases_of(mean, cases, self.visible), self.variable_dtype)
        if self.chains is not None:
            every = ops.broadcast_to(biases, tuple(self.chain.shape))
            self.chain.assign(self.visible.exact().sample(every, self._key_beside(_OF_CHAINS)))
        if self.centered:
            self.visible_offsets.assign(mean)
            self.hidden_offsets.assign(self.hidden.mean(ops.zeros((self.units,), self.variable_dtype)))
            self.hidden_biases.assign(-ops.matmul(self.visible_offsets, self.kernel))
            biases = biases - ops.matmul(self.kernel, self.hidden_offsets)
        self.visible_biases.assign(biases)

    def compile(self, *args: Any, jit_compile: Any = "auto", **kwargs: Any) -> None:
        """Configure `fit` as `keras.Model.compile` does; on TensorFlow XLA compiles the step, but for replicas."""
        if jit_compile == "auto" and keras.backend.backend() == "tensorflow" and not kwargs.get("run_eagerly"):
            jit_compile = replicas.count() == 1
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        # Keras's own leaves a model uncompiled whose `compile` is not Keras's.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x: Any = None, *args: Any, callbacks: Any = None, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; data out of range are refused, and a run that diverges is stopped."""
        width = watching.check(x, self.visible)
        if (held_out := kwargs.get("validation_data")) is not None:
            watching.check(cases.inputs(held_out), self.visible)
        # Keras would build it in the midst of the compiled step, where weights cannot be drawn.
        if width and not self.built:
            self.build((None, width))
        return super().fit(x, *args, callbacks=watching.watched(callbacks), **kwargs)

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        # Without training the same noise at every call: a validation leaves no trace in the training that goes on.
        key = keys.mixed(keys.next_draw(self.seed_generator)) if training else self._key_beside(_OF_INFERENCE)
        # Keras casts floating-point inputs only, and eagerly on JAX hands NumPy's arrays on.
        parameters, inputs = self.tensors, self._converted(inputs)
        x = parameters.hidden_input(inputs)
        h = self._statistic(x, keys.child(key, _OF_DATA))
        v_model, reconstruction = self._model_states(x, h, key, training)
        x_model = parameters.hidden_input(v_model)
        h_model = self._statistic(x_model, keys.child(key, _OF_MODEL))
        energy = self._centered_energy if self.centered else self._energy
        loss = ops.mean(energy(inputs, h, x)) - ops.mean(energy(v_model, h_model, x_model))
        if self.centered and training:
            self._move_offsets(h)
        if replicas.count() > 1:
            # They have one list of losses, and those that wait for each other above have added to it out of turn.
            self._clear_losses()
        self.add_loss(loss)
        if self.sparsity:
            self.add_loss(self.sparsity(self.hidden.mean(x)))
        outputs = {"hidden": self.hidden.mean(x), "reconstruction": reconstruction}
        outputs["activity"] = ops.mean(ops.cast(x > 0, x.dtype), axis=-1)
        if self.pair.has_free_energy:
            outputs["free_energy"] = self.pair.free_energy_from(parameters, inputs, x)
        return outputs

    def _statistic(self, x: Tensor, key: Tensor) -> Tensor:
        x = ops.stop_gradient(x)
        return self.hidden.mean(x) if self.statistic == "mean" else self.hidden.sample(x, key)

    def _model_states(self, x: Tensor, h: Tensor, key: Tensor, training: bool | None) -> tuple[Tensor, Tensor]:
        """Return the visible states in which the chains end, and the means after the first sweep from the data."""
        held = self.tensors.held()
        if self.chains is None:
            drawn = self.hidden.sample(ops.stop_gradient(x), keys.child(key, _OF_FIRST))
            visible_input = held.visible_input(drawn)
            v = self.visible.sample(visible_input, keys.child(key, _OF_FIRST + 1))
            for sweep in range(2, 2 * self.steps, 2):
                v = self.pair.sweep(held, v, key, _OF_FIRST + sweep)
            return v, self.visible.mean(visible_input)
        v = replicas.own(self.chain)
        if training:
            for sweep in range(0, 2 * self.steps, 2):
                v = self.pair.sweep(held, v, key, _OF_FIRST + sweep)
            replicas.keep(self.chain, v)
        return v, self.visible.mean(held.visible_input(h))

    def _energy(self, v: Tensor, h: Tensor, x: Tensor) -> Tensor:
        """Return E(v, h), case by case, of the states' part that the parameters change; x is v's input to h."""
        return -ops.sum(v * self.visible_biases, axis=-1) - ops.sum(h * x, axis=-1)

    def _centered_energy(self, v: Tensor, h: Tensor, x: Tensor) -> Tensor:
        """Return an energy whose derivatives are a centered machine's steps, written for the plain parameters.

        With v' and h' for v and h less their offsets m and l, a step of the centered kernel by v'h' moves the plain
        biases b - W l and c - m W too: instead of v and h their gradients have v - v'(h' l) and h - h'(v' m).
        """
        v_off, h_off = self.visible_offsets, self.hidden_offsets
        v_c, h_c = v - v_off, h - h_off
        of_kernel = ops.sum((x - self.hidden_biases - ops.matmul(v_off, self.kernel)) * h_c, axis=-1)
        for_visible = v - v_c * ops.matmul(h_c, h_off)[:, None]
        for_hidden = h - h_c * ops.matmul(v_c, v_off)[:, None]
        return -of_kernel - ops.matmul(for_visible, self.visible_biases) - ops.matmul(for_hidden, self.hidden_biases)

    def _move_offsets(self, h: Tensor) -> None:
        moved = ops.mean(h, axis=0) - self.hidden_offsets
        self.hidden_offsets.assign(self.hidden_offsets + OFFSET_RATE * moved)

    def _key_beside(self, number: int) -> Tensor:
        """Return a key of the machine's seed that no step of training takes: those count from 0 up."""
        return keys.make_key(ops.convert_to_tensor(self.seed_generator.state)[0], number)

    def compute_metrics(self, x: Tensor, y: Any, y_pred: dict, sample_weight: Any = None) -> dict[str, Any]:
        error = ops.mean(ops.square(ops.cast(x, self.compute_dtype) - y_pred["reconstruction"]), axis=-1)
        self.reconstruction_error.update_state(error, sample_weight)
        self.activity.update_state(y_pred["activity"], sample_weight)
        if self.free_energy_of_batches:
            self.free_energy_of_batches.update_state(y_pred["free_energy"], sample_weight)
        return self.get_metrics_result()

    def transform(self, v: Tensor) -> Tensor:
        """Return the hidden units' means given v, of shape (batch, units)."""
        return self.hidden.mean(self.tensors.hidden_input(self._converted(v)))

    def reconstruct(self, v: Tensor) -> Tensor:
        """Return the visible units' means given the hidden units' means given v."""
        return self.visible.mean(self.tensors.visible_input(self.transform(v)))

    def free_energy(self, v: Tensor) -> Tensor:
        """Return F(v) = -log g(v) - b v - sum of A(c + v W): -log p(v) but for a constant, of shape (batch,)."""
        return self.pair.free_energy(self.tensors, self._converted(v))

    def pseudo_log_likelihood(self, v: Tensor) -> np.ndarray:
        """Return the sum of log p(v_i | the other visible units), of shape (batch,), in float64 NumPy."""
        return pseudo_likelihood.pseudo_log_likelihood(self, v)

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """Return E(v, h), of shape (batch,)."""
        v, h = self._converted(v), self._converted(h, self.units)
        base = ops.sum(self.visible.log_base(v), axis=-1) + ops.sum(self.hidden.log_base(h), axis=-1)
        return self._energy(v, h, self.tensors.hidden_input(v)) - base

    def sample(self, count: int, sweeps: int = 1000, seed: int = 0, start: Tensor | None = None) -> Tensor:
        """Return the visible states of `count` chains after so many sweeps, all units with their law's noise.

        Args:
            count: chains, an integer of at least 1.
            sweeps: an integer of at least 0.
            seed: an integer in [0, 2**31): the same one gives the same chains.
            start: (count, visible) states from which the chains start; otherwise those of the visible biases alone.
        """
        checks.integer("count", count, least=1)
        if seed is None:
            raise checks.refusal("seed", "an integer in [0, 2**31)", seed)
        key = keys.make_key(checks.seed(seed), checks.integer("sweeps", sweeps, least=0))
        # Cut off, or PyTorch would hold every sweep for a gradient that nobody asks for.
        pair, parameters = self.pair.exact(), self.tensors.held()
        if start is None:
            start = pair.start(parameters, count, key)
        start = self._converted(start)
        if start.shape[0] != count:
            raise checks.refusal("start", f"of as many states as chains, {count}", start)
        return gibbs.sweeps(pair, parameters, start, key, sweeps)

    def _converted(self, v: Any, width: int | None = None) -> Tensor:
        """Return states as the machine's numbers, refusing those of another width than its layer's."""
        v, width = ops.cast(ops.convert_to_tensor(v), self.compute_dtype), width or self.tensors.kernel.shape[0]
        rank = tensors.rank(v, owner="RBM")
        if rank not in (None, 2) or (rank and v.shape[1] not in (None, width)):
            raise ValueError(f"RBM expected states of shape (batch, {width}). Received: shape {tuple(v.shape)}")
        return v

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        keys.save_state(self.seed_generator, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(keys.load_state(self.seed_generator, store))

    def get_config(self) -> dict[str, Any]:
        objects = ("visible", "hidden", "kernel_regularizer", "kernel_constraint", "sparsity")
        plain = ("units", "steps", "chains", "hidden_bias", "statistic", "centered", "kernel_scale", "seed")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in plain},
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in objects},
        }
