"""Trainings whose loss is no longer finite: they are stopped, with a remedy."""

import math


class DivergedError(RuntimeError):
    """Raised at the end of an epoch whose loss is not finite."""


def refuse(logs: dict[str, float] | None, epoch: int, remedy: str) -> None:
    """Stop a training if the loss of the epoch that ends is not finite."""
    loss = (logs or {}).get("loss", 0.0)
    if not math.isfinite(loss):
        raise DivergedError(f"The training diverged. {remedy}. Received: loss={loss} in epoch {epoch + 1}")
