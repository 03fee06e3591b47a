"""What a chapter is laid out with: its opening, tables and figures."""

from reruns.page.opening import open, statistical

__all__ = ["open", "statistical"]
