"""What a chapter is laid out with: its opening, the numbers in its prose, tables and figures."""

from reruns.page import palette
from reruns.page.opening import costs, open, statistical
from reruns.page.prose import span, tell

__all__ = ["costs", "open", "palette", "span", "statistical", "tell"]
