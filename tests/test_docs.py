"""The documentation: generated pages are current, links and names resolve, results state their commits."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RESULTS = [page for page in PAGES if page.parent.name == "results" and page.stem != "README"]
_LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)(?:#[^)]*)?\)")
_MEASURED = re.compile(r"Measured on (\d{4}-\d\d-\d\d) at commit `([0-9a-f]{7})`")


def generator(name: str) -> Callable[[], str]:
    """A function of ``docs/reference/generate.py``."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "reference" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[[], str] = getattr(module, name)
    return function


@pytest.mark.parametrize(("page", "name"), [("cli.md", "commands_page"), ("settings.md", "settings_page")])
def test_generated_reference_pages_are_current(page: str, name: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert written == generator(name)(), "run python docs/reference/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_lead_to_files(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@cache
def anchors(page: Path) -> set[str]:
    """The names of a page's headings in links."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_a_heading_lead_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?![a-z]+:)([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    pages = [(page.parent / target if target else page, name) for target, name in links]
    assert [link for link in pages if link[0].suffix == ".md" and link[1] not in anchors(link[0])] == []


def test_the_list_of_decisions_has_all_with_their_status() -> None:
    folder = ROOT / "docs" / "decisions"
    rows = re.findall(
        r"^\| \[\d{3}\]\(([\w.-]+)\) \| (.+) \| (.+) \|$",
        (folder / "README.md").read_text(encoding="utf-8"),
        re.M,
    )
    texts = {page.name: page.read_text(encoding="utf-8") for page in sorted(folder.glob("0*.md"))}
    assert [name for name, _, _ in rows] == list(texts)
    for name, title, status in rows:
        assert texts[name].startswith(f"# {int(name[:3])}. {title}\n")
        successor = re.search(r"^Superseded by \[.*?\]\((\d{3})", texts[name], re.MULTILINE)
        assert status.startswith(f"superseded by [{successor[1]}]" if successor else "in force")


@cache
def defined_tests() -> set[str]:
    """The names of all tests and of their classes."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for source in sources for name in re.findall(r"\b(?:def|class) (test_\w+|Test\w+)", source)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    tests = set(re.findall(r"`(test_\w+|Test\w+)`", text))
    assert tests - (defined_tests() if tests else set()) == set()
    files = re.findall(r"`((?:tests|docs|benchmarks|format|decoder|encoder|player|samples)/[\w./-]+)`", text)
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_have_only_options_that_exist(page: Path) -> None:
    commands = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    known = set(re.findall(r"--[a-z][a-z-]+", commands))
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"^.*?\bdynerf ([a-z]+) (.*?)(?:#.*)?$", text, re.MULTILINE)
    options = {option for _, rest in named for option in re.findall(r"--[a-z][a-z-]+", rest)}
    alone = set(re.findall(r"`(--[a-z][a-z-]+)[^`]*`", text)) if page.parent.name == "how-to" else set()
    assert (options | alone) - known == set()


@pytest.mark.parametrize(
    "page", [page for page in RESULTS if page.stem != "history"], ids=lambda page: page.stem
)
def test_a_page_of_results_begins_with_date_commit_and_machine(page: Path) -> None:
    first = page.read_text(encoding="utf-8").split("\n\n")[1].replace("\n", " ")
    assert re.match(_MEASURED.pattern + r": \w.*(cores?|GPU)", first), first


@pytest.fixture(scope="module")
def commits() -> dict[str, str]:
    """The dates of all commits of the history, by the first seven digits."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("the commits that pages name are looked up in a clone, by git")
    command = ["git", "-C", str(ROOT), "log", "--format=%H %as"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "true" in subprocess.check_output([*command[:3], "rev-parse", "--is-shallow-repository"], text=True):
        pytest.skip("the clone is shallow")
    return {line[:7]: line[41:] for line in log.splitlines()}


@pytest.mark.parametrize("page", RESULTS, ids=lambda page: page.stem)
def test_commits_of_results_are_in_the_history(page: Path, commits: dict[str, str]) -> None:
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert [name for name in re.findall(r"`([0-9a-f]{7})`", text) if name not in commits] == []
    stated = _MEASURED.findall(text)
    assert [(date, name) for date, name in stated if commits[name] != date] == []


@pytest.mark.parametrize(
    "folder",
    [
        "format/dynerf_format",
        "decoder/dynerf_decoder",
        "encoder/dynerf_encoder",
        "player/dynerf_player",
        "dynerf",
    ],
)
def test_the_table_of_rooms_names_every_room(folder: str) -> None:
    package = Path(folder).name
    text = (ROOT / "docs" / "explanation" / "how-it-works.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{package}` \| (`.*) \|$", text, re.MULTILINE)
    assert row is not None
    rooms = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}
    if package == "dynerf_player":
        rooms.add("web")
    named = set(re.findall(r"`(\w+)`", row[1]))
    assert rooms <= named
    assert named <= {path.stem for path in (ROOT / folder).rglob("*")}  # neither moved nor deleted
