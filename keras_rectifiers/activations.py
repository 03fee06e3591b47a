"""The functional forms of the units.

`elu`, `nrelu`, `prelu`, `rrelu`, `scaled_softplus` and `sign_flip` keep the width and can be given to
`keras.layers.Activation` or to the `activation` argument of a layer; `crelu` and `maxout` change it and can not.
"""

from keras_rectifiers.layers.crelu import crelu
from keras_rectifiers.layers.elu import elu
from keras_rectifiers.layers.maxout import maxout
from keras_rectifiers.layers.nrelu import nrelu
from keras_rectifiers.layers.prelu import prelu
from keras_rectifiers.layers.rrelu import rrelu
from keras_rectifiers.layers.sign_flip import sign_flip
from keras_rectifiers.layers.softplus import scaled_softplus

__all__ = ["crelu", "elu", "maxout", "nrelu", "prelu", "rrelu", "scaled_softplus", "sign_flip"]
