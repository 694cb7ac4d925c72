"""The WebGL2 renderer's pictures are those of the reference."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dynerf_decoder.backends.folded_planes import FoldedStack
from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.planes import FoldedPlanesModel
from dynerf_decoder.render.depth_colours import depth_image
from dynerf_encoder.config.presets import preset
from support.browser import psnr
from support.gl import dump_segment
from support.planes_clip import SETTINGS, planes_clip, preset_clip
from support.render_lab import Lab
from support.simulated_gl import HALF_NETWORK, TEXTURE_UNIT

EXACT, SHIPPED, HARDWARE = 60, 55, 50  # dB PSNR against the reference, 8-bit
_EVERY_SAMPLE = {"minTransmittance": 0}
_VARIANTS = {
    "channels that are not multiples of four": {"channels": 6, "coarse_channels": 3},
    "one scale": {"scales": (16,), "basis": (3,)},
    "no view features": {"view_features": 0},
    "sizes of one": {
        "channels": 1,
        "hidden": 1,
        "view_hidden": 1,
        "coarse_hidden": 1,
        "latent": 1,
        "coarse_channels": 1,
    },
    "planes of one texel": {"scales": (1, 9), "coarse_scale": 2},
}


@pytest.fixture(scope="module")
def clip() -> Clip:
    """Two segments with occupancy grids."""
    return planes_clip(segments=(3, 2), grid=16).clip


def view(clip: Clip, **changes: Any) -> Camera:
    """The clip's camera: a part of its rays misses the space."""
    return replace(clip.cameras[0], **changes)


@pytest.mark.parametrize(
    ("frame", "segment", "mix"),
    [(1.0, 0, (1, 0.0)), (0.4, 0, (0, 0.4)), (2.0, 0, (2, 0.0)), (3.0, 1, (0, 0.0))],
    ids=["a frame", "between frames", "the last of a segment", "the first of the next"],
)
def test_pictures_are_those_of_the_reference(
    lab: Lab, clip: Clip, frame: float, segment: int, mix: tuple[int, float]
) -> None:
    expected = clip.render(view(clip), frame=frame, plain=True).numpy()
    lab.open(clip, **_EVERY_SAMPLE)
    assert psnr(lab.picture(view(clip), segment, mix), expected) >= EXACT
    lab.open(clip)
    assert psnr(lab.picture(view(clip), segment, mix), expected) >= SHIPPED


def test_rays_hit_where_the_references_do(lab: Lab, clip: Clip) -> None:
    """Views from within, from the side, and past the space: not one pixel is on the other side."""
    lab.open(clip)
    poses = [
        [1, 0, 0, 0.1, 0, 1, 0, 0.0, 0, 0, 1, 0.3],
        [0, 0, 1, 2.2, 0, 1, 0, 0.3, -1, 0, 0, 0.4],
        [0.8, 0, 0.6, 2.6, 0, 1, 0, 1.1, -0.6, 0, 0.8, 2.0],
    ]
    for pose in poses:
        camera = view(clip, camera_to_world=np.array(pose, float).reshape(3, 4))
        frame = clip.render(camera, frame=0, plain=True)
        hits = lab.picture(camera, output="count")[..., 2] == 255
        np.testing.assert_array_equal(hits, frame.depth.numpy() > 0)
        assert hits.any()
        assert psnr(lab.picture(camera), frame.numpy()) >= SHIPPED


@pytest.mark.parametrize("changes", _VARIANTS.values(), ids=_VARIANTS)
def test_settings_of_any_size(lab: Lab, changes: dict[str, Any]) -> None:
    """In float32, so that nothing but an error in the layout makes a difference."""
    clip = planes_clip(replace(SETTINGS, **changes), samples=(7, 5)).clip
    lab.open(clip, precise=True, **_EVERY_SAMPLE)
    expected = clip.render(view(clip), frame=0.5, plain=True).numpy()
    assert psnr(lab.picture(view(clip), mix=(0, 0.5)), expected) >= EXACT


@pytest.mark.parametrize("scale", [8, 8000], ids=["16 bits", "32 bits"])
def test_symbols_beyond_eight_bits(lab: Lab, scale: float) -> None:
    clip = planes_clip(scale=scale).clip
    lab.open(clip, **_EVERY_SAMPLE)
    assert psnr(lab.picture(view(clip)), clip.render(view(clip), frame=0, plain=True).numpy()) >= EXACT


@pytest.mark.parametrize("name", ["preview", "balanced", pytest.param("fast", marks=pytest.mark.extensive)])
def test_presets_compile_and_render(lab: Lab, name: str) -> None:
    """With planes of few texels, in float32: shaders, blocks and samples are those of the preset."""
    config = preset(name)  # type: ignore[arg-type]
    samples = (config.sampling.coarse, config.sampling.fine)
    clip = preset_clip(config.planes, segments=(1,), samples=samples).clip
    lab.open(clip, precise=True, **_EVERY_SAMPLE)
    camera = view(clip).with_size(32, 24)
    assert psnr(lab.picture(camera), clip.render(camera, frame=0, plain=True).numpy()) >= EXACT


def test_real_texture_units_and_a_network_in_half_precision(lab: Lab, clip: Clip) -> None:
    """Simulated: fractions of 1/256 between texels, and every feature, weight and sum rounded to 16 bits."""
    lab.open(clip, prelude=TEXTURE_UNIT + HALF_NETWORK)
    expected = clip.render(view(clip), frame=1, plain=True).numpy()
    assert psnr(lab.picture(view(clip), mix=(1, 0.0)), expected) >= HARDWARE


def test_depth_is_the_references(lab: Lab, clip: Clip) -> None:
    lab.open(clip, **_EVERY_SAMPLE)
    depth = clip.render(view(clip), frame=0, plain=True).depth
    expected = depth_image(depth, *clip.depth_range())
    assert psnr(lab.picture(view(clip), output="depth"), expected) >= SHIPPED


def test_folded_planes_are_the_references(lab: Lab, clip: Clip) -> None:
    """On the GPU and on the CPU, in float32."""
    folded = clip.fold(1.25)
    assert isinstance(folded, FoldedPlanesModel)
    for less in ({}, {"halfTarget": False}):
        lab.open(clip, precise=True, less=less)
        lab.picture(view(clip), mix=(1, 0.25))
        for name, stack in (("coarse", folded.coarse.stack), ("fine", folded.fine.stack)):
            _compare_planes(lab, name, stack)


def _compare_planes(lab: Lab, name: str, stack: FoldedStack) -> None:
    for scale, planes in enumerate(stack.planes):
        found = np.array(
            lab.page.evaluate("place => harness.planes(opened, ...place)", [name, scale]), np.float32
        )
        size, channels = planes.shape[2], planes.shape[-1]
        groups = -(-channels // 4)
        by_channel = (
            found.reshape(3, groups, size, size, 4).transpose(0, 2, 3, 1, 4).reshape(3, size, size, -1)
        )
        np.testing.assert_allclose(by_channel[..., :channels], planes[0].numpy() - 1, atol=2e-6)
        assert not by_channel[..., channels:].any()


def test_devices_that_offer_less(lab: Lab, clip: Clip) -> None:
    """Step by step: folding on the CPU gives the same picture; beyond that a reason is given."""
    expected = clip.render(view(clip), frame=0, plain=True).numpy()
    for less in ({"halfTarget": False}, {"limits": {"arrayLayers": 17}}):
        lab.open(clip, **_EVERY_SAMPLE, less=less)
        assert lab.page.evaluate("opened.renderer.plan.fold") == "cpu"
        assert psnr(lab.picture(view(clip)), expected) >= EXACT
    reason = lab.page.evaluate("harness.refused(opened, { less: { limits: { blockBytes: 1024 } } })")
    assert reason.startswith("Unsupported: the clip needs")
    assert "bytes of a network, this device offers 1024" in reason


def test_a_broken_shader_is_a_reason_not_a_black_picture(lab: Lab, clip: Clip) -> None:
    lab.open(clip)
    reason = lab.page.evaluate("harness.refused(opened, { prelude: 'nonsense' })")
    assert reason.startswith("Unsupported: the device does not compile the renderer's shader")


def test_a_small_picture_is_upsampled_cleanly(lab: Lab, clip: Clip) -> None:
    lab.open(clip)
    small = lab.picture(view(clip).with_size(32, 24))
    shown = np.array(lab.page.evaluate("harness.shown(opened, 64, 48)"), np.uint8).reshape(48, 64, 4)[..., :3]
    bicubic = np.asarray(Image.fromarray(small).resize((64, 48), Image.Resampling.BICUBIC))
    assert psnr(shown, bicubic) >= 35, "Catmull-Rom, but for the ringing that is held back"
    nearest = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    neighbours = np.stack([np.roll(nearest, (y, x), (0, 1)) for y in (-2, 0, 2) for x in (-2, 0, 2)])
    inner = (slice(2, -2), slice(2, -2))
    assert (shown[inner] <= neighbours.max(axis=0)[inner].astype(int) + 1).all()
    assert (shown[inner] >= neighbours.min(axis=0)[inner].astype(int) - 1).all()


def test_a_picture_at_its_own_size_is_shown_as_it_is(lab: Lab, clip: Clip) -> None:
    lab.open(clip)
    drawn = lab.picture(view(clip))
    shown = np.array(lab.page.evaluate("harness.shown(opened, 64, 48)"), np.uint8).reshape(48, 64, 4)[..., :3]
    np.testing.assert_array_equal(shown, drawn)


def test_finer_layers_replace_coarser_ones_at_once(lab: Lab) -> None:
    """While a layer is loaded the one before is shown; nothing is left behind on the device."""
    coarse, fine = (planes_clip(samples=(8, 6)).clip for _ in range(2))
    coarse.layers = 1
    lab.open(coarse, **_EVERY_SAMPLE)
    expected = [each.render(view(each), frame=0, plain=True).numpy() for each in (coarse, fine)]
    assert psnr(expected[0], expected[1]) < SHIPPED
    first = lab.picture(view(coarse))
    bytes_before = lab.page.evaluate("opened.renderer.bytes")
    lab.host.files["/segment0-fine"] = dump_segment(fine, 0)
    during = np.frombuffer(bytes(lab.page.evaluate("harness.refine(opened, '/segment0')")), np.uint8)
    np.testing.assert_array_equal(during.reshape(48, 64, 4)[..., :3], first)
    assert psnr(lab.picture(view(fine)), expected[1]) >= EXACT
    assert lab.page.evaluate("opened.renderer.bytes") == bytes_before
    assert lab.page.evaluate("opened.gl.getError()") == 0
