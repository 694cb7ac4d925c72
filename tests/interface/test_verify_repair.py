"""``dynerf verify`` and ``dynerf repair``: exit status, one line or one JSON object, no file altered."""

import json
from pathlib import Path

import pytest

from support.command import done, refused, run
from support.link import serving


@pytest.fixture
def broken(clip: Path, tmp_path: Path) -> Path:
    """The clip without its last bytes."""
    path = tmp_path / "broken.dnv"
    path.write_bytes(clip.read_bytes()[:-300])
    return path


def test_verify_reports_an_intact_file(clip: Path) -> None:
    data = clip.read_bytes()
    assert data[-32:].hex() in done("verify", clip).out
    record = json.loads(done("verify", clip, "--json").out)
    assert record["ok"] is True
    assert (record["sha256"], record["bytes"]) == (data[-32:].hex(), len(data))
    assert record["layers"] == [3]


def test_verify_refuses_a_file_with_one_wrong_bit(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    data[-400] ^= 4
    path = tmp_path / "flipped.dnv"
    path.write_bytes(data)
    assert "is damaged: its checksum does not match" in refused("verify", path, folder=tmp_path)
    ran = run("verify", path, "--json")
    assert ran.status == 2
    assert json.loads(ran.out) == {"ok": False, "error": ran.err.removeprefix("dynerf: error: ").strip()}


def test_repair_recovers_frames_and_reports_what_was_lost(broken: Path, out: Path) -> None:
    before = broken.read_bytes()
    ran = done("repair", broken, "-o", out / "saved.dnv")
    assert "6 frames" in ran.err
    assert "lost: 0 frames" in ran.err
    assert broken.read_bytes() == before
    assert json.loads(done("verify", out / "saved.dnv", "--json").out)["layers"] == [2]
    done("decode", out / "saved.dnv", "-o", out / "a_%d.png", "--frames", "0:1")


def test_repair_does_not_write_over_the_damaged_file(broken: Path, tmp_path: Path) -> None:
    line = refused("repair", broken, "-o", tmp_path / "x" / ".." / "broken.dnv", folder=tmp_path)
    assert "is the file to repair" in line


def test_the_first_layer_gives_a_complete_but_coarser_frame(clip: Path, out: Path) -> None:
    for layers in (1, 3, 9):
        done("decode", clip, "-o", out / f"{layers}_%d.png", "--frames", "0:1", "--layers", layers)
    pictures = [(out / f"{layers}_0.png").read_bytes() for layers in (1, 3, 9)]
    assert pictures[0] != pictures[1]
    assert pictures[1] == pictures[2]  # the clip has three layers
    layers = json.loads(done("info", clip, "--json").out)["layers"]
    assert [layer["layers"] for layer in layers] == [1, 2, 3]
    assert [layer["bytes"] for layer in layers] == sorted(layer["bytes"] for layer in layers)
    assert all(isinstance(layer["held_out_psnr"], float) for layer in layers)
    assert f"{layers[0]['held_out_psnr']:.2f} dB" in done("info", clip).out


def test_verify_reads_an_address(clip: Path) -> None:
    data = clip.read_bytes()
    with serving(data) as link:
        ran = done("verify", link.address)
        assert ran.out.startswith(f"{link.address}: intact: {len(data):,} bytes")
        assert json.loads(done("verify", link.address, "--json").out)["sha256"] == data[-32:].hex()
        broken = bytearray(data)
        broken[-400] ^= 4
        link.replace(bytes(broken), '"two"')
        ran = run("verify", link.address)
    assert (ran.status, ran.out) == (2, "")
    assert f"{link.address}: " in ran.err
    assert "is damaged: its checksum does not match" in ran.err


@pytest.mark.parametrize(
    "command",
    [
        "repair http://example.org/a.dnv -o saved.dnv",
        "join http://example.org/a.dnv b.dnv -o all.dnv",
        "serve http://example.org/a.dnv",
        "encode http://example.org/capture -o a.dnv",
        "eval a.dnv http://example.org/capture",
    ],
)
def test_commands_that_need_local_files_refuse_addresses(command: str, tmp_path: Path) -> None:
    line = refused(*command.split(), folder=tmp_path)
    assert "found an address, expected a file or folder on this machine: download it first" in line
