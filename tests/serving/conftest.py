"""SavedModels are made and checked with TensorFlow."""

import keras

collect_ignore_glob = [] if keras.backend.backend() == "tensorflow" else ["*"]
