"""What a denoising autoencoder's inputs suffer while it is trained: masking noise, and salt and pepper."""

from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, keys, noise, tensors
from keras_rectifiers.compilation import LARGE_FOR_NOISE, Tensor
from keras_rectifiers.kernels import Kernel


def _masked(x: Tensor, u: Tensor, *, level: float) -> Tensor:
    return ops.where(u < level, 0.0, x)


def _peppered(x: Tensor, u: Tensor, *, level: float, low: float, high: float) -> Tensor:
    # u < level / 2:    low
    # u < level:        high
    # else:             x
    return ops.where(u < level, ops.where(u < 0.5 * level, low, high), x)


def _gradient(g: Tensor, x: Tensor, u: Tensor, *, level: float, **ends: float) -> tuple:
    return (ops.where(u < level, 0.0, g),)


_masking = Kernel(_masked, _masked, _gradient, variates=noise.uniform, large=LARGE_FOR_NOISE, at_zero=0.0)
_peppering = Kernel(_peppered, _peppered, _gradient, variates=noise.uniform, large=LARGE_FOR_NOISE)


@keras.saving.register_keras_serializable(package="keras_rectifiers.autoencoders")
class MaskingNoise(keras.layers.Layer):
    r"""Set a share of the inputs to 0 while training, and leave the others as they are.

    .. math::

        \tilde x_i = \begin{cases} 0 & u_i < \nu \\ x_i & \text{otherwise} \end{cases}

    with :math:`\nu` the level and :math:`u_i` uniform on [0, 1). Dropout divides the others by :math:`1 - \nu`; here
    nothing makes up for what is lost, and at inference nothing happens.

    Args:
        level: the share of the inputs that is set to 0, a number in [0, 1]. The paper's is 0.25.
        seed: None or an integer in [0, 2**31). The generator's state is saved with the model's weights; under a
            distribution strategy each replica draws its own noise.

    Input and output: float tensors of one shape, any rank. A mask passes through.

    Raises:
        ValueError: if an argument is none of the above or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.autoencoders import MaskingNoise
    >>> layer, x = MaskingNoise(0.25, seed=7), np.full((100, 100), 3.0, "float32")
    >>> bool((np.asarray(layer(x)) == x).all())
    True
    >>> y = np.asarray(layer(x, training=True))
    >>> [float(v) for v in np.unique(y)], 0.24 < float((y == 0).mean()) < 0.26
    ([0.0, 3.0], True)

    Reference: Vincent, Larochelle, Lajoie, Bengio and Manzagol 2010, section 3.3; Glorot, Bordes and Bengio 2011.
    """

    def __init__(self, level: float = 0.25, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.level = checks.number("level", level, least=0.0, most=1.0)
        self.seed = checks.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="MaskingNoise")
        if not checks.training(training):
            return inputs
        draw = keys.next_draw(self.seed_generator)
        return _masking(inputs, draw, training=training, level=self.level)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tensors.shape(input_shape, owner="MaskingNoise")

    compute_output_spec = tensors.compute_output_spec

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        keys.save_state(self.seed_generator, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(keys.load_state(self.seed_generator, store))

    def get_config(self) -> dict:
        return {**super().get_config(), "level": self.level, "seed": self.seed}


@keras.saving.register_keras_serializable(package="keras_rectifiers.autoencoders")
class SaltAndPepper(keras.layers.Layer):
    r"""Set a share of the inputs to their smallest or largest value, each with the same chance, while training.

    .. math::

        \tilde x_i = \begin{cases} l & u_i < \nu / 2 \\ h & \nu / 2 \le u_i < \nu \\ x_i & \text{otherwise} \end{cases}

    with :math:`\nu` the level, and :math:`u_i` uniform on [0, 1). For binary inputs: of those that are hit every second
    one stays what it was. At inference nothing happens.

    Args:
        level: the share of the inputs that is hit, a number in [0, 1].
        low: the smallest value l, a finite number.
        high: the largest value h, a finite number that is not below `low`.
        seed: None or an integer in [0, 2**31). The generator's state is saved with the model's weights; under a
            distribution strategy each replica draws its own noise.

    Input and output: float tensors of one shape, any rank. A mask passes through.

    Raises:
        ValueError: if an argument is none of the above or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.autoencoders import SaltAndPepper
    >>> y = np.asarray(SaltAndPepper(0.2, seed=7)(np.full((100, 100), 0.5, "float32"), training=True))
    >>> [float(v) for v in np.unique(y)], 0.09 < float((y == 1).mean()) < 0.11
    ([0.0, 0.5, 1.0], True)

    Reference: Vincent, Larochelle, Lajoie, Bengio and Manzagol 2010, section 3.3; Glorot, Bordes and Bengio 2011,
    section 4.2.
    """

    def __init__(
        self, level: float = 0.25, low: float = 0.0, high: float = 1.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.level = checks.number("level", level, least=0.0, most=1.0)
        self.low, self.high = checks.number("low", low), checks.number("high", high)
        if self.low > self.high:
            raise checks.refusal("high", f"a number of at least `low`, {self.low:g}", high)
        self.seed = checks.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="SaltAndPepper")
        if not checks.training(training):
            return inputs
        draw = keys.next_draw(self.seed_generator)
        return _peppering(inputs, draw, training=training, level=self.level, low=self.low, high=self.high)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tensors.shape(input_shape, owner="SaltAndPepper")

    compute_output_spec = tensors.compute_output_spec

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        keys.save_state(self.seed_generator, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(keys.load_state(self.seed_generator, store))

    def get_config(self) -> dict:
        own = {name: getattr(self, name) for name in ("level", "low", "high", "seed")}
        return {**super().get_config(), **own}
