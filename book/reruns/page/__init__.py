"""What a chapter is laid out with: its opening, tables and figures."""

from reruns.page.opening import costs, open, statistical

__all__ = ["costs", "open", "statistical"]
