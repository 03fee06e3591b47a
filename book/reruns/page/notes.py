"""Notes in a box: the book's, and for a notebook, whose Markdown knows no boxes, a quotation."""

from markdown_it import MarkdownIt


class Note:
    """A text in Markdown, as a box of this kind, under a title of its own or the kind's.

    `_config.yml` has the book prefer Markdown to HTML; JupyterLab shows the HTML.
    """

    def __init__(self, text: str, kind: str = "note", title: str = "") -> None:
        self.text, self.kind, self.title = text, kind, title

    def _repr_markdown_(self) -> str:
        head = f"{{admonition}} {self.title}\n:class: {self.kind}" if self.title else f"{{{self.kind}}}"
        return f":::{head}\n{self.text}\n:::"

    def _repr_html_(self) -> str:
        title = self.title or self.kind.capitalize()
        return f"<blockquote><p><strong>{title}</strong></p>\n{MarkdownIt().render(self.text)}</blockquote>"
