"""Everything that decides what an encode computes, as small frozen dataclasses, one per part.

``Config`` is what ``--set section.key=value`` and a configuration file reach, and what travels in the file it
produced. Presets (``presets.py``) are values of it; no default hides elsewhere.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from dynerf_decoder.fields.mlp import MlpSettings
from dynerf_decoder.fields.planes import PlanesSettings
from dynerf_decoder.sampling import Sampling

FieldKind = Literal["planes", "mlp"]
Strategy = Literal["uniform", "isg", "ist", "isg+ist"]
ConditioningKind = Literal["latent", "time", "none"]


@dataclass(frozen=True)
class Schedule:
    """How long each stage lasts. ``scale`` shortens or lengthens all of them alike.

    Stage 1 trains keyframes, every ``keyframe_interval`` frames; stage 2 all frames by ISG weights; stage 3
    all frames by IST weights at ``ist_rate`` times the learning rate (DyNeRF, 3.2). ``keyframes`` "auto"
    takes as many, but places them where the video changes most. Without ``hierarchical`` the steps of stage 1
    are spent on all frames too, whose latents then start independently of each other.
    """

    scale: float
    hierarchical: bool
    keyframes: Literal["fixed", "auto"]
    keyframe_interval: int
    keyframe_steps: int
    isg_steps: int
    ist_steps: int
    ist_rate: float
    rays: int
    frames_per_step: int


@dataclass(frozen=True)
class Optimiser:
    """Adam's rates. Planes and networks differ; latents learn at ``latent_gain`` times the networks' rate.

    All rates fall exponentially to ``final_rate`` times their start, after ``warm_up`` steps of rising.
    ``latent_sigma`` is the standard deviation that keyframes' latents start with. ``coarse_weight`` is the
    weight of the coarse field's loss, ``total_variation`` that of the planes' mean squared gradient.
    """

    planes_rate: float
    network_rate: float
    latent_gain: float
    latent_sigma: float
    final_rate: float
    warm_up: int
    beta2: float
    coarse_weight: float
    total_variation: float


@dataclass(frozen=True)
class Importance:
    """Which rays are drawn. ``share`` of them by weight, the rest evenly over all views.

    ``strategy`` names the weights of stages 2 and 3: the paper's ISG and then IST (its IS*), one of them in
    both, or none anywhere.

    ISG: Geman-McClure of the difference to the temporal median, with one gamma for the keyframe stage and
    one for all frames. IST: largest change within ``window`` frames, at least ``floor`` (DyNeRF, 3.2).
    """

    strategy: Strategy
    share: float
    keyframe_gamma: float
    gamma: float
    window: int
    floor: float


@dataclass(frozen=True)
class Conditioning:
    """What tells the field which frame is meant.

    ``latent`` is the paper's learned code per frame. Its baselines, as codes that are not learned: ``time``,
    the positional encoding of t in -1..1 with ``frequencies`` octaves (NeRF-T), and ``none``, the same for
    all frames (one NeRF per frame, when the clip has one).
    """

    kind: ConditioningKind
    frequencies: int


@dataclass(frozen=True)
class Quantisation:
    """Steps of the quantised tensors: planes in feature units, the others relative to root mean squares.

    Network weights get a step of ``network`` times each tensor's root mean square, latents ``latents`` times
    that of all latents. The steps of the coarse field are ``coarse`` times as wide: it only places samples.
    ``group`` is the number of frames whose latents share a chunk; 0 makes it those of one second. Grids that
    say where nothing is have ``grid`` cells a side; 0 leaves them out.
    """

    planes: float
    network: float
    latents: float
    coarse: float
    group: int
    grid: int


@dataclass(frozen=True)
class Rate:
    """How the last part of the training, from position ``start`` (0 to 1) on, weighs bits against errors.

    The loss is the squared error plus ``weight`` times the size in megabytes (``rate.py``). With a ``target``
    in bytes (0: none) the weight is only where a control starts that steers the file towards that size.
    A weight of 0 without a target trains as if there were no file.
    """

    start: float
    weight: float
    target: int


@dataclass(frozen=True)
class Config:
    """The whole of it. Only the settings of the chosen ``field`` matter."""

    preset: str
    field: FieldKind
    schedule: Schedule
    sampling: Sampling
    optimiser: Optimiser
    importance: Importance
    conditioning: Conditioning
    rate: Rate
    quantisation: Quantisation
    planes: PlanesSettings = dataclasses.field(default_factory=PlanesSettings)
    mlp: MlpSettings = dataclasses.field(default_factory=MlpSettings)
