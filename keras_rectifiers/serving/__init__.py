"""From a trained model to one that TensorFlow Serving takes, and back to the proof that it is the same.

`export` writes a version, `check` replays it where neither this package nor Keras can be imported. As a command:
`keras-rectifiers MODEL.keras savedmodels/NAME` and `keras-rectifiers check savedmodels/NAME`, which is the same as
`python -m keras_rectifiers.serving`. Needs `pip install 'keras-rectifiers[serving]'` and Keras on TensorFlow.
"""

from keras_rectifiers.serving.check import CheckError, check
from keras_rectifiers.serving.export import export

__all__ = ["CheckError", "check", "export"]
