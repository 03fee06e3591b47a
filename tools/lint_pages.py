"""Check the code cells of the book's pages as the project's other code: `python tools/lint_pages.py`.

A line may be as long as the pages' column shows without scrolling.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLUMN = 100
# Names that a page's cells leave to IPython, and imports after its first lines.
IGNORED = "E402,E703,B018,B023,I001,SIM117"


def code(page: Path) -> str:
    """Return the cells of a page, each line at the number that it has in the page, the other lines empty."""
    text = page.read_text()
    lines = [""] * (text.count("\n") + 1)
    for cell in re.finditer(r"^```\{code-cell\}.*?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        first = text[: cell.start(1)].count("\n")
        body = re.sub(r"\A---\n.*?^---\n", lambda m: "\n" * m[0].count("\n"), cell[1], flags=re.DOTALL | re.MULTILINE)
        for number, line in enumerate(body.splitlines()):
            lines[first + number] = "" if re.match(r"(:\w+:|%|import reruns )", line) else line
    return "\n".join(lines)


def main() -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--quiet", "--line-length", str(COLUMN), "--extend-ignore", IGNORED]
    faulty = False
    for page in sorted((ROOT / "book").glob("*.md")):
        command = [*ruff, "--stdin-filename", f"book/{page.stem}.py", "-"]
        faulty |= bool(subprocess.run(command, input=code(page), text=True, cwd=ROOT, check=False).returncode)
    sys.exit(int(faulty))


if __name__ == "__main__":
    main()
