"""All settings of an encode, as small frozen dataclasses, one per section.

``Config`` is what ``--set section.key=value`` and a configuration file change, and what the clip's header
records. Presets (``presets.py``) are instances of it; there are no defaults elsewhere.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from dynerf_decoder.fields.mlp import MlpSettings
from dynerf_decoder.fields.planes import PlanesSettings
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_decoder.setting import setting

FieldKind = Literal["planes", "mlp"]
Strategy = Literal["uniform", "isg", "ist", "isg+ist"]
ConditioningKind = Literal["latent", "time", "none"]


@dataclass(frozen=True)
class Schedule:
    """Length of each stage; ``scale`` multiplies all of them.

    Stage 1 trains keyframes, every ``keyframe_interval`` frames; stage 2 all frames by ISG weights; stage 3
    all frames by IST weights at ``ist_rate`` times the learning rate (DyNeRF, 3.2). ``keyframes`` "auto"
    uses as many, but places them where the video changes most. Without ``hierarchical`` the steps of stage 1
    train all frames too, whose latents then start independently of each other.
    """

    scale: float = setting("Multiplies the number of steps of every stage.", "factor")
    hierarchical: bool = setting(
        "Train keyframes first. Without it the steps of stage 1 go to all frames too."
    )
    keyframes: Literal["fixed", "auto"] = setting(
        "Place keyframes at a fixed interval, or as many where the video changes most."
    )
    keyframe_interval: int = setting("Distance of keyframes (K of the paper).", "frames")
    keyframe_steps: int = setting("Length of stage 1, keyframes by ISG weights.", "steps")
    isg_steps: int = setting("Length of stage 2, all frames by ISG weights.", "steps")
    ist_steps: int = setting("Length of stage 3, all frames by IST weights.", "steps")
    ist_rate: float = setting("Learning rate of stage 3, relative to the others.", "factor")
    rays: int = setting("Rays of a training step, over all its frames.", "rays")
    frames_per_step: int = setting("Frames whose rays a step contains.", "frames")


@dataclass(frozen=True)
class Optimiser:
    """Learning rates of Adam for planes and networks; that of latents is ``latent_gain`` times the networks'.

    All rates rise over ``warm_up`` steps and decay exponentially to ``final_rate`` times their start.
    ``latent_sigma`` is the standard deviation of the keyframes' initial latents. ``coarse_weight`` is the
    weight of the coarse field's loss, ``total_variation`` that of the planes' mean squared gradient.
    """

    planes_rate: float = setting("Adam's learning rate of the feature planes.", "per step")
    network_rate: float = setting("Adam's learning rate of the networks.", "per step")
    latent_gain: float = setting("Learning rate of the latents, relative to the networks'.", "factor")
    latent_sigma: float = setting("Standard deviation of the keyframes' initial latents.", "latent units")
    final_rate: float = setting(
        "Learning rate at the end, relative to the start; the decay is exponential.", "factor"
    )
    warm_up: int = setting("Steps over which the learning rate rises at the start.", "steps")
    beta2: float = setting("Decay of Adam's second moment.", "per step")
    coarse_weight: float = setting("Weight of the coarse field's loss.", "factor")
    total_variation: float = setting("Weight of the planes' mean squared gradient.", "factor")


@dataclass(frozen=True)
class Importance:
    """Which rays are drawn: ``share`` of them by weight, the rest uniformly over all views.

    ``strategy`` names the weights of stages 2 and 3: the paper's ISG and then IST (its IS*), one of them in
    both, or none in any stage.

    ISG: Geman-McClure of the difference to the temporal median, with one gamma for the keyframe stage and
    one for all frames. IST: largest change within ``window`` frames, at least ``floor`` (DyNeRF, 3.2).
    """

    strategy: Strategy = setting(
        "Weights of stages 2 and 3: ISG then IST (the paper's IS*), one of them in both, or none."
    )
    share: float = setting("Share of the rays drawn by weight; the others are drawn uniformly.", "0 to 1")
    keyframe_gamma: float = setting("Geman-McClure scale of ISG in stage 1.", "colour, 0 to 1")
    gamma: float = setting("Geman-McClure scale of ISG in stage 2.", "colour, 0 to 1")
    window: int = setting("Half width of the window in which IST looks for the largest change.", "frames")
    floor: float = setting("Lower bound of IST weights.", "colour, 0 to 1")


@dataclass(frozen=True)
class Conditioning:
    """How the field is conditioned on the frame.

    ``latent`` is the paper's learned code per frame. The paper's baselines are codes that are not learned:
    ``time``, the positional encoding of t in -1..1 with ``frequencies`` octaves (NeRF-T), and ``none``, the
    same code for all frames (one NeRF per frame, when the clip has one frame).
    """

    kind: ConditioningKind = setting(
        "Condition on a learned latent per frame, on the encoded time (NeRF-T), or on nothing."
    )
    frequencies: int = setting("Octaves of the encoded time.", "octaves")


@dataclass(frozen=True)
class Quantisation:
    """Steps of the quantised tensors: planes in feature units, the others relative to the root mean square.

    The step of network weights is ``network`` times each tensor's root mean square, that of latents
    ``latents`` times that of all latents. The steps of the coarse field, which only places samples, are
    ``coarse`` times as wide, those of its basis planes ``coarse_basis`` times as wide as that. ``group`` is
    the number of frames whose latents share a chunk; 0 stands for one second. Occupancy grids have ``grid``
    cells a side; 0 omits them.
    """

    planes: float = setting("Quantisation step of the planes.", "feature units")
    network: float = setting("Quantisation step of network weights, relative to each tensor's RMS.", "factor")
    latents: float = setting(
        "Quantisation step of the latents, relative to the RMS of all latents.", "factor"
    )
    coarse: float = setting("Multiplies the steps of the coarse field.", "factor")
    coarse_basis: float = setting("Multiplies also those of its basis planes.", "factor")
    group: int = setting("Frames whose latents share a chunk; 0: those of one second.", "frames")
    grid: int = setting("Cells per side of the occupancy grids; 0: no grids.", "cells")


@dataclass(frozen=True)
class Rate:
    """The trade-off of bits against errors from position ``start`` (0 to 1) of the training on.

    The loss is the squared error plus ``weight`` times the size in megabytes (``rate_loss.py``). With a
    ``target`` in bytes (0: none) ``weight`` is the initial value of the rate control that steers the file
    towards that size. A weight of 0 without a target trains without a rate term.
    """

    start: float = setting("Position in the schedule from which on bits count.", "0 to 1")
    weight: float = setting(
        "Weight of the estimated size in the loss; initial value with a target; 0 without one: no rate term.",
        "per MB",
    )
    target: int = setting("Target size; 0: none (see --target-size).", "bytes")


@dataclass(frozen=True)
class Layers:
    """Quality layers: a decoder shows the first ones before it has the whole file.

    Layers end at the shares ``budget`` of the weights, the last at 1. Each but the last has its own planes,
    trained after the schedule for ``steps`` times its steps, within ``reach`` times the finished
    rounding steps of the finished values; then the last is trained as long to agree with them. With a single
    share layers are the finished symbols, divided.
    """

    budget: tuple[float, ...] = setting(
        "Shares of the weights at which trained quality layers end, the last 1; 1 alone: layers by division.",
        "0 to 1",
    )
    steps: float = setting("Training steps of each layer, relative to the schedule.", "factor")
    reach: float = setting(
        "Largest difference of a layer's values to the finished ones, in finished rounding steps.",
        "factor",
    )


@dataclass(frozen=True)
class Config:
    """All settings. Of ``planes`` and ``mlp`` only those of the chosen ``field`` are used."""

    preset: str
    field: FieldKind
    schedule: Schedule
    sampling: Sampling
    optimiser: Optimiser
    importance: Importance
    conditioning: Conditioning
    rate: Rate
    quantisation: Quantisation
    layers: Layers
    planes: PlanesSettings = dataclasses.field(default_factory=PlanesSettings)
    mlp: MlpSettings = dataclasses.field(default_factory=MlpSettings)
