"""Source and documentation use the field's terms: the worst words of an earlier style do not come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("format", "decoder", "encoder", "player", "dynerf", "docs", "benchmarks", "samples", "tests")
SUFFIXES = {".py", ".js", ".mjs", ".css", ".html", ".md", ".j2"}
REFUSED = re.compile(
    r"\b(told|nobody|whoever|somebody|wish(?:es|ed)?|judges?|judged|lessons?|studio|heard|in vain|in earnest"
    r"|looked at|(?<!time )goes on|puts? up with|(?<!there )(?:is|are) no (?!longer|more|less)"
    r"|ask(?:s|ed)|wants|likes|thinks|speaks|knew|believe[sd]|knows|tells|forgets|hears|remember(?:s|ed))\b",
    re.IGNORECASE,
)


def files() -> list[Path]:
    """Source files and pages of documentation."""
    found = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES}
    return sorted((found | set(ROOT.glob("*.md"))) - {Path(__file__)})


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_words_are_those_of_the_field(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if REFUSED.search(line)]
    assert found == []


def test_the_words_are_found() -> None:
    assert REFUSED.search("What nobody was told: this is no rotation")
    assert REFUSED.search("the server asks for it")
    assert REFUSED.search("a client that wants more")
    assert not REFUSED.search("as time goes on")
    assert not REFUSED.search("there is no longer a wishful judgement")
    assert not REFUSED.search("the task is likely wanted")
