"""The slow part of each chapter: a config on top, plain code below."""
