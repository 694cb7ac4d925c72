"""Malicious clips: valid checksums, but contents that are inconsistent or demand too many resources."""

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynerf_format import (
    FieldRecord,
    FileSource,
    Header,
    QuantisedTensor,
    Reader,
    encode_header,
    latents_chunk,
    pack_tensors,
    quantise,
    weights_chunk,
)
from support.clips import ForgedChunk, forge, forged_chunks
from support.command import done, refused
from support.video import run_child

MLP = {
    "latent": 32, "depth": 2, "width": 8, "skip": 5, "position_frequencies": 2, "direction_frequencies": 1,
}  # fmt: skip


def _decode(clip: Path, *more: object) -> str:
    return refused("decode", clip, "-o", clip.parent / "out.mp4", *more, folder=clip.parent)


class Forger:
    """Changes parts of a valid clip and writes them with valid checksums."""

    def __init__(self, clip: Path, folder: Path) -> None:
        with FileSource(clip) as source:
            reader = Reader(source)
            self.header: Header = reader.header
            self.weights = list(reader.weights(0).values())
            self.latents = reader.latents(0, reader.header.frames)
        self._path = folder / "forged.dnv"

    def write(
        self, header: Header, weights: list[QuantisedTensor] | None = None, latents: int | None = None
    ) -> Path:
        """A clip with some parts replaced; ``latents`` is the size of each code."""
        codes = self.latents if latents is None else np.zeros((header.frames, latents))
        chunks = forged_chunks(
            [
                weights_chunk(0, self.weights if weights is None else weights),
                latents_chunk(0, 0, quantise("latents", codes, 0.01)),
            ]
        )
        self._path.write_bytes(forge(encode_header(header), chunks))
        return self._path

    def field(self, settings: Mapping[str, object], kind: str = "planes") -> Header:
        """The header with settings added or replaced."""
        base: Mapping[str, object] = self.header.field.settings if kind == "planes" else MLP
        return replace(self.header, field=FieldRecord(kind, _plain({**base, **settings})))

    def camera(self, **changes: object) -> Header:
        """The header with another first camera."""
        first = replace(self.header.cameras[0], **changes)  # type: ignore[arg-type]
        return replace(self.header, cameras=(first, *self.header.cameras[1:]))


def _plain(settings: Mapping[str, object]) -> dict[str, int | float | str | bool | list[object]]:
    return {key: value for key, value in settings.items() if isinstance(value, int | float | str | list)}


@pytest.fixture
def forger(clip: Path, tmp_path: Path) -> Forger:
    return Forger(clip, tmp_path)


def test_an_unchanged_clip_is_accepted(forger: Forger) -> None:
    path = forger.write(forger.header)
    done("decode", path, "-o", path.parent / "a.mp4")
    done("info", path)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"hidden": 65}, "weights: fine.hidden.weight has shape (32, 16), expected (65, 16)"),
        ({"scales": [8]}, "1 scales and 2 numbers of basis planes"),
        ({"scales": [8, 3000]}, "fine.static.1 has shape (3, 8, 12, 12), expected (3, 8, 3000, 3000)"),
        ({"scales": [16384, 16384], "channels": 16384}, "parameters, at most 268435456"),
        ({"scales": 8}, "settings.scales: found 8, expected a list of 1 to 16 whole numbers"),
        ({"scales": []}, "settings.scales: found [], expected a list"),
        ({"scales": [8, "x" * 999]}, "settings.scales: found 'xxx"),
        ({"channels": 0}, "settings.channels: found 0, expected a whole number from 1"),
        ({"channels": -8}, "settings.channels: found -8"),
        ({"channels": 8.0}, "settings.channels: found 8.0"),
        ({"channels": True}, "settings.channels: found True"),
        ({"latent": 5}, "has shape (2, 32), expected (2, 5)"),
    ],
)
def test_settings_that_do_not_fit_the_weights(
    forger: Forger, settings: dict[str, object], found: str
) -> None:
    path = forger.write(forger.field(settings))
    line = _decode(path)
    assert f"{path}: " in line
    assert found in line
    assert len(line) < 400


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, "is missing"),
        ({"depth": 16384}, "settings.depth: found 16384, expected a whole number from 1 to 64"),
        ({"position_frequencies": 16384}, "settings.position_frequencies: found 16384"),
        ({"width": 1}, "settings.width: found 1, expected a whole number from 2"),
        ({"width": 16000}, "parameters, at most 268435456"),
        ({"width": 8000, "depth": 1}, "is missing"),
    ],
)
def test_another_field_than_the_weights(forger: Forger, settings: dict[str, object], found: str) -> None:
    assert found in _decode(forger.write(forger.field(settings, "mlp")))


def test_an_unknown_field_and_missing_settings(forger: Forger) -> None:
    unknown = replace(forger.header, field=FieldRecord("gaussians", {}))
    assert "field.kind: found 'gaussians', this decoder supports planes, mlp" in _decode(
        forger.write(unknown)
    )
    empty = replace(forger.header, field=FieldRecord("planes", {}))
    assert "settings.latent: found None, expected a whole number" in _decode(forger.write(empty))


def test_weights_and_latents_that_do_not_belong(forger: Forger) -> None:
    extra = quantise("view.9.weight", [1.0], 1.0)
    path = forger.write(forger.header, [*forger.weights, extra])
    assert f"{path}: weights: view.9.weight does not belong to this field" in _decode(path)
    assert "weights: fine.static.0 is missing" in _decode(forger.write(forger.header, forger.weights[1:]))
    path = forger.write(forger.header, latents=5)
    assert f"{path}: latents of 5 numbers, expected 32 by the field's settings" in _decode(path)


@pytest.mark.parametrize(
    ("sampling", "found"),
    [
        ({}, "sampling.coarse: found None, expected 2 to 4096"),
        ({"coarse": 10**9, "fine": 8, "union": False}, "sampling.coarse: found 1000000000"),
        ({"coarse": 8, "fine": 1, "union": False}, "sampling.fine: found 1"),
        ({"coarse": 8, "fine": 8, "union": 1}, "sampling.union: found 1, expected true or false"),
    ],
)
def test_invalid_sampling(forger: Forger, sampling: dict[str, int | float | str | bool], found: str) -> None:
    path = forger.write(replace(forger.header, sampling=sampling))
    assert f"{path}: header.{found}" in _decode(path)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"camera_to_world": (0.0,) * 12}, "cam00': the 3x3 part of camera_to_world is not a rotation"),
        ({"camera_to_world": tuple((-np.eye(3, 4)).ravel().tolist())}, "camera_to_world mirrors the world"),
        ({"camera_to_world": (1e308,) * 12}, "camera 'cam00': farther than"),
        ({"focal_x": 1e-300}, "camera 'cam00': focal length or principal point beyond"),
        ({"centre_y": -1e300}, "camera 'cam00': focal length or principal point beyond"),
        ({"width": 16384, "height": 16384}, "16384x16384 pixels, expected sides of 1 to 8192"),
    ],
)
def test_invalid_cameras(forger: Forger, changes: dict[str, object], found: str) -> None:
    path = forger.write(forger.camera(**changes))
    line = _decode(path)
    assert f"{path}: " in line
    assert found in line


def test_a_rig_that_sees_nothing_renders_but_has_no_depth(forger: Forger) -> None:
    away = (1.0, 0, 0, 1e8, 0, 1, 0, 1e8, 0, 0, 1, 1e8)
    cameras = tuple(replace(camera, camera_to_world=away) for camera in forger.header.cameras)
    path = forger.write(replace(forger.header, cameras=cameras))
    assert "no camera sees the scene" in _decode(path, "--depth")
    done("decode", path, "-o", path.parent / "out.mp4")


def test_overflowing_weights_render_without_a_crash(forger: Forger) -> None:
    large = [
        replace(tensor, steps=np.array([2.0**100], np.float32), symbols=np.full_like(tensor.symbols, 2**23))
        for tensor in forger.weights
    ]
    done("decode", forger.write(forger.header, large), "-o", forger._path.parent / "a.mp4", "--depth")


def test_a_clip_without_tensors_and_with_control_characters(forger: Forger) -> None:
    header = replace(forger.header, config={"note": "\x1b[2J\nfake"}, quality={"psnr": "\r\x1b[31m"})
    path = forger.write(header)
    codes = forged_chunks([latents_chunk(0, 0, quantise("latents", forger.latents, 0.01))])
    path.write_bytes(forge(encode_header(header), [ForgedChunk(count=0, body=pack_tensors([])), *codes]))
    shown = done("info", path).out
    assert " parameters, 0.0" in shown  # bits each: the header alone states the sizes
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "\\x1b[2J\\nfake" in shown
    assert "is missing" in _decode(path)


def test_settings_that_claim_large_tensors_use_little_memory(forger: Forger, tmp_path: Path) -> None:
    """In a separate process, because peak memory is measured per process."""
    wide = forger.field(
        {"channels": 4096, "scales": [1], "basis": [1], "hidden": 1, "coarse_scale": 1, "coarse_basis": 1}
    )
    claims = forger.field({"scales": [8, 3000]})  # 216 million parameters
    files = [
        forger.write(claims).rename(tmp_path / "claims.dnv"),
        forger.write(wide, _weights_for(wide)).rename(tmp_path / "wide.dnv"),
    ]
    code = """
        import sys
        import dynerf_decoder.clip.clip, dynerf_decoder.video.frame_writer
        from dynerf.cli.main import main
        from support.peak_memory import peak_memory
        before = peak_memory()
        for path in sys.argv[1:]:
            print(main(["decode", path, "-o", path + "_%d.png", "--frames", "0:1", "--size", "48x36"]))
        print((peak_memory() - before) // 1024)
    """
    ran = run_child(textwrap.dedent(code), *files)
    *statuses, megabytes = ran.stdout.split()
    assert statuses == ["2", "0"], ran.stderr
    assert "expected (3, 8, 3000, 3000)" in ran.stderr
    assert int(megabytes) < 1000


def _weights_for(header: Header) -> list[QuantisedTensor]:
    from dynerf_decoder.fields.build import build_model

    model = build_model(header.field.kind, header.field.settings)
    return [quantise(name, value.detach().numpy(), 0.05) for name, value in model.named_parameters()]
