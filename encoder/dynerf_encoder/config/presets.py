"""The presets: named, complete configurations.

``paper`` holds the published constants, each with its source: [P] is the paper (Li et al., CVPR 2022), [HX]
the HexPlane authors' configuration of "hierarchical sampling from DyNeRF", [NeRF] what the paper adopts
"as NeRF". ``fast`` is for one GPU, ``preview`` for two CPU cores and a few
minutes, ``balanced`` for two CPU cores and a quarter of an hour.
"""

from dataclasses import replace
from typing import Literal

from dynerf_decoder.fields.mlp import MlpSettings
from dynerf_decoder.fields.planes import PlanesSettings
from dynerf_decoder.scene.ray_sampling import Sampling

from .schema import (
    Conditioning,
    Config,
    FieldKind,
    Importance,
    Layers,
    Optimiser,
    Quantisation,
    Rate,
    Schedule,
)

PresetName = Literal["preview", "balanced", "fast", "paper"]
PRESETS: tuple[PresetName, ...] = ("preview", "balanced", "fast", "paper")

_CONDITIONING = Conditioning(
    kind="latent",
    frequencies=10,  # of NeRF-T; not published, taken from the encoding of positions [NeRF] 5.1
)
# Finer grids find a twentieth more empty space but take four times the bytes.
_QUANTISATION = Quantisation(
    planes=0.16, network=0.03, latents=0.01, coarse=3.0, coarse_basis=2.0, group=0, grid=32
)
# A first layer of a quarter shows 24 dB where all of it shows 29.
_LAYERS = Layers(budget=(0.23, 1.0), steps=0.1, reach=1.0)

_PREVIEW = Config(
    preset="preview",
    field="planes",
    schedule=Schedule(
        scale=1.0,
        hierarchical=True,
        keyframes="fixed",
        keyframe_interval=6,
        keyframe_steps=290,
        isg_steps=2610,
        ist_steps=500,
        ist_rate=0.5,
        rays=3072,
        frames_per_step=2,
    ),
    sampling=Sampling(coarse=24, fine=12, union=False),
    optimiser=Optimiser(
        planes_rate=0.07,
        network_rate=0.01,
        latent_gain=1.0,
        latent_sigma=1.0,
        final_rate=0.03,
        warm_up=50,
        beta2=0.99,
        coarse_weight=1.0,
        total_variation=1e-2,
    ),
    importance=Importance(
        strategy="isg+ist", share=0.3, keyframe_gamma=1e-3, gamma=2e-2, window=25, floor=0.1
    ),
    conditioning=_CONDITIONING,
    rate=Rate(start=1 / 3, weight=2.5e-3, target=0),
    quantisation=_QUANTISATION,
    layers=_LAYERS,
    # Half the multiplications of 64 hidden units and 6 view features, with no loss seen; the fine network's
    # 1 + 3 + 4 outputs fill a shader's groups of four.
    planes=PlanesSettings(scales=(48, 96, 192), basis=(8, 8, 0), hidden=32, view_features=4),
)

# Against preview: more samples, larger networks, finer planes of which fewer move, three times the steps.
_BALANCED = replace(
    _PREVIEW,
    preset="balanced",
    schedule=replace(_PREVIEW.schedule, keyframe_steps=870, isg_steps=7830, ist_steps=1500),
    sampling=Sampling(coarse=32, fine=16, union=False),
    rate=replace(_PREVIEW.rate, weight=5e-4),
    planes=PlanesSettings(scales=(64, 128, 256), basis=(8, 4, 0), hidden=64, view_features=8),
)

_FAST = replace(
    _PREVIEW,
    preset="fast",
    schedule=replace(
        _PREVIEW.schedule, keyframe_interval=30, keyframe_steps=1000, isg_steps=12000, ist_steps=3000,
        rays=16384, frames_per_step=4,
    ),
    sampling=Sampling(coarse=48, fine=24, union=False),
    # Files are ten times as large as preview's; dB per doubling are about the same, so a MB gains less.
    rate=replace(_PREVIEW.rate, weight=3e-4),
    planes=PlanesSettings(
        scales=(64, 128, 256, 512), basis=(16, 16, 16, 0), channels=12, coarse_scale=96, coarse_basis=16
    ),
    layers=replace(_LAYERS, steps=0.03),  # as many steps as preview's layers take
)  # fmt: skip

_PAPER = Config(
    preset="paper",
    field="mlp",
    schedule=Schedule(
        scale=1.0,
        hierarchical=True,
        keyframes="fixed",
        keyframe_interval=30,  # K [P] 3.2
        keyframe_steps=300_000,  # [P] 4.1
        isg_steps=250_000,  # [HX] nv3d.yaml
        ist_steps=100_000,  # [HX] nv3d.yaml
        ist_rate=0.1,  # "low learning rate" [P] 3.2; the value is not published
        rays=24_576,  # [P] 4.1
        frames_per_step=8,  # not published; one frame for each of the paper's 8 GPUs
    ),
    sampling=Sampling(coarse=64, fine=128, union=True),  # [NeRF] 5.3
    optimiser=Optimiser(
        planes_rate=0.0,  # there are no planes; --field planes uses the rates of another preset
        network_rate=5e-4,  # [P] 4.1
        latent_gain=10.0,  # [P] 4.1
        latent_sigma=3.1e-4,  # N(0, 0.01 / sqrt(D)), D = 1024 [P] 3.1; the formula is ambiguous
        final_rate=0.1,  # [NeRF] 5.3: 5e-4 falls to 5e-5
        warm_up=0,
        beta2=0.999,  # [P] 4.1
        coarse_weight=1.0,  # [P] eq. 4
        total_variation=0.0,  # [P]: "without any special regularization"
    ),
    importance=Importance(
        strategy="isg+ist",  # IS* [P] 3.2
        share=1.0,  # [P] 3.2: all rays are drawn by weight
        keyframe_gamma=1e-3,  # [HX], [KP]
        gamma=2e-2,  # [HX], [KP]
        window=25,  # [P] 3.2
        floor=0.1,  # [HX]
    ),
    conditioning=_CONDITIONING,
    rate=Rate(start=0.9, weight=1e-4, target=0),  # not from the paper, which does not compress
    quantisation=replace(_QUANTISATION, network=0.1, latents=0.05, coarse=12.0),
    layers=replace(_LAYERS, budget=(1.0,)),
    mlp=MlpSettings(),
)


def preset(name: PresetName, field: FieldKind | None = None) -> Config:
    """A preset, with its own field or with ``field``.

    Another field than the preset's comes with the settings that it needs to train at all: ``mlp`` samples the
    union of coarse and fine and uses the paper's learning rates, ``planes`` samples fine only and uses those
    of ``fast``. Rate and quantisation come from the same preset.
    """
    config = {"preview": _PREVIEW, "balanced": _BALANCED, "fast": _FAST, "paper": _PAPER}[name]
    if field is None or field == config.field:
        return config
    other = _PAPER if field == "mlp" else _FAST
    sampling = replace(config.sampling, union=other.sampling.union)
    return replace(
        config, field=field, sampling=sampling, optimiser=other.optimiser, rate=other.rate,
        quantisation=other.quantisation,
    )  # fmt: skip
