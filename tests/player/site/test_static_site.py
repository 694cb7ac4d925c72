"""``dynerf web`` writes a folder that is complete, or leaves what was there."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from dynerf_player.site import static_site
from dynerf_player.site.replaced_folder import replaced_folder
from support.command import done, run


def links(page: Path) -> list[str]:
    """The files that a page's attributes address."""
    found = re.findall(r'(?:href|src|poster)="([^"#]+)"', page.read_text(encoding="utf-8"))
    return [unquote(address) for address in found]


def test_one_clip_is_the_front_page(clip: Path, tmp_path: Path) -> None:
    done("web", clip, "-o", tmp_path / "site", "--title", 'A <"film">', "--url", "https://films.example/a")
    page = tmp_path / "site" / "index.html"
    assert (tmp_path / "site/clips/clip.dnv").read_bytes() == clip.read_bytes()
    assert (tmp_path / "site/clips/clip.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert links(page)
    assert all((page.parent / address).is_file() for address in links(page))
    html = page.read_text(encoding="utf-8")
    assert "<title>A &lt;&#34;film&#34;&gt;</title>" in html
    assert '<meta property="og:image" content="https://films.example/a/clips/clip.jpg">' in html


def test_several_clips_have_a_catalogue(clip: Path, other_clip: Path, tmp_path: Path) -> None:
    odd = tmp_path / "Ünder #1 %.dnv"
    shutil.copy(other_clip, odd)
    (tmp_path / "again").mkdir()
    shutil.copy(clip, tmp_path / "again" / "CLIP.dnv")
    done("web", clip, odd, tmp_path / "again" / "CLIP.dnv", "-o", tmp_path / "site")
    records = json.loads((tmp_path / "site" / "clips.json").read_text(encoding="utf-8"))["clips"]
    assert [record["name"] for record in records] == ["clip", "Ünder #1 %", "CLIP"]
    assert len({record["page"].casefold() for record in records}) == 3
    assert '<meta property="og:image" content="clips/clip.jpg">' in (tmp_path / "site/index.html").read_text()
    for page in (tmp_path / "site/watch").iterdir():
        assert all((page.parent / address).resolve().is_file() for address in links(page))


def test_no_page_or_script_names_another_site(clip: Path, tmp_path: Path) -> None:
    done("web", clip, "-o", tmp_path / "site")
    request = re.compile(r"""(?:from |import\(|fetch\(|url\(|src=|href=)["'`]?https?://[\w.-]+""")
    for path in (tmp_path / "site").rglob("*"):
        if path.suffix in (".html", ".js", ".css", ".svg"):
            assert request.findall(path.read_text(encoding="utf-8")) == [], path


def test_an_earlier_site_is_replaced_and_other_folders_are_not(clip: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    done("web", clip, "-o", site)
    (site / "clips" / "gone.dnv").touch()
    done("web", clip, "-o", site)
    assert not (site / "clips" / "gone.dnv").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    ran = run("web", clip, "-o", tmp_path / "mine")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "is a folder with other files" in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "site"]


def test_a_failure_leaves_the_earlier_site(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("web", clip, "-o", tmp_path / "site")
    before = {path: path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(static_site, "_write_json", full)
    ran = run("web", clip, "-o", tmp_path / "site")
    assert (ran.status, ran.err.splitlines()[-1]) == (
        2, f"dynerf: error: {tmp_path / 'site'}: cannot be written: No space left on device",
    )  # fmt: skip
    assert {path: path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_an_interrupted_folder_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replaced_folder(tmp_path / "site") as folder:
        (folder / "page").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.dnv"], "none.dnv"),
        (["{clip}", "--url", "films"], "expected an address such as"),
        (["{clip}", "--poster", "{clip}"], "is not a JPEG file"),
        (["{clip}", "{clip}", "--poster", "{clip}"], "found several clips, expected one"),
    ],
)
def test_bad_options_are_refused_in_one_line(
    clip: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    ran = run("web", *(word.format(clip=clip) for word in arguments), "-o", tmp_path / "site")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert message in ran.err
    assert list(tmp_path.iterdir()) == []
