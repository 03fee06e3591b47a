"""tensorflow-datasets builders of our own, registered when they are imported."""
