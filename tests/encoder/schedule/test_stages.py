"""The schedule: keyframes, the stage at a position, learning rates and interpolated latents."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynerf_encoder.config.presets import preset
from dynerf_encoder.config.schema import Optimiser, Schedule, Strategy
from dynerf_encoder.schedule.keyframes import fixed_keyframes
from dynerf_encoder.schedule.stages import Plan, interpolate_latents, learning_rate, plan_training
from dynerf_format.errors import ConfigError

_OPTIMISER: Optimiser = replace(preset("paper").optimiser, warm_up=4, final_rate=0.01)


def _schedule(keyframe_steps: int = 30, isg_steps: int = 50, ist_steps: int = 20, **more: float) -> Schedule:
    paper = preset("paper").schedule
    return replace(paper, keyframe_steps=keyframe_steps, isg_steps=isg_steps, ist_steps=ist_steps, **more)  # type: ignore[arg-type]


def _plan(schedule: Schedule, frames: int, strategy: Strategy = "isg+ist") -> Plan:
    return plan_training(schedule, frames, strategy, fixed_keyframes(frames, schedule.keyframe_interval))


class TestKeyframes:
    @pytest.mark.parametrize(
        ("frames", "interval", "expected"),
        [
            (10, 3, (0, 3, 6, 9)),
            (11, 3, (0, 3, 6, 9, 10)),
            (300, 30, (*range(0, 300, 30), 299)),
            (5, 30, (0, 1, 2, 3, 4)),
            (30, 30, (0, 6, 12, 18, 24, 29)),
            (31, 30, (0, 30)),
            (2, 30, (0, 1)),
            (1, 30, (0,)),
            (4, 1, (0, 1, 2, 3)),
        ],
    )
    def test_every_kth_frame_and_the_last(
        self, frames: int, interval: int, expected: tuple[int, ...]
    ) -> None:
        assert fixed_keyframes(frames, interval) == expected

    def test_an_interval_of_no_frames_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"keyframe_interval: found 0"):
            fixed_keyframes(10, 0)


class TestInterpolation:
    def test_is_numpys_to_the_bit_where_both_are_exact(self) -> None:
        keys = (0, 4, 12, 14)
        latents = torch.randint(-64, 64, (15, 3), generator=torch.Generator().manual_seed(0)).float()
        result = interpolate_latents(latents, keys).numpy()
        known = latents[list(keys)].numpy()
        expected = np.stack([np.interp(np.arange(15), keys, column) for column in known.T], axis=-1)
        np.testing.assert_array_equal(result, expected)

    @settings(max_examples=25, deadline=None)
    @given(frames=st.integers(1, 40), interval=st.integers(1, 12), seed=st.integers(0, 2**16))
    def test_is_numpys_up_to_rounding_and_leaves_keyframes_alone(
        self, frames: int, interval: int, seed: int
    ) -> None:
        latents = torch.randn(frames, 2, generator=torch.Generator().manual_seed(seed))
        before = latents.clone()
        keys = fixed_keyframes(frames, interval)
        result = interpolate_latents(latents, keys)
        known = latents[list(keys)].double().numpy()
        expected = np.stack([np.interp(np.arange(frames), keys, column) for column in known.T], axis=-1)
        np.testing.assert_allclose(result.numpy(), expected, atol=1e-6)  # numbers of size 1 in float32
        assert torch.equal(result[list(keys)], latents[list(keys)])
        assert torch.equal(latents, before)


class TestPlan:
    def test_stages_follow_the_paper_keyframes_then_isg_then_ist(self) -> None:
        plan = _plan(_schedule(keyframe_interval=3, ist_rate=0.25), 8)
        assert [stage.name for stage in plan.stages] == ["keyframes", "isg", "ist"]
        assert [stage.frames for stage in plan.stages] == [(0, 3, 6, 7), tuple(range(8)), tuple(range(8))]
        assert [stage.rate for stage in plan.stages] == [1, 1, 0.25]
        assert (plan.steps, plan.keyframes) == (100, (0, 3, 6, 7))

    @pytest.mark.parametrize("steps", [(30, 50, 20), (1, 1, 1), (7, 0, 3), (300, 250, 101)])
    def test_each_stage_gets_exactly_its_steps(self, steps: tuple[int, int, int]) -> None:
        plan = _plan(_schedule(*steps), 8)
        numbers = [plan.index_at(step / plan.steps) for step in range(plan.steps)]
        assert [numbers.count(number) for number in range(len(plan.stages))] == [n for n in steps if n > 0]
        assert numbers == sorted(numbers)

    def test_a_stage_ends_before_the_position_that_is_its_end(self) -> None:
        plan = _plan(_schedule(30, 50, 20), 8)
        assert [stage.end for stage in plan.stages] == [0.3, 0.8, 1.0]
        assert [plan.index_at(x) for x in (0.0, 0.2999, 0.3, 0.7999, 0.8, 0.9999)] == [0, 0, 1, 1, 2, 2]
        assert plan.index_at(1.0) == 2

    @pytest.mark.parametrize("scale", [0.01, 0.1, 0.5, 2.0])
    def test_scale_shortens_or_lengthens_all_stages_alike(self, scale: float) -> None:
        whole, scaled = (_plan(_schedule(300, 500, 200, scale=value), 8) for value in (1.0, scale))
        assert scaled.steps == round(1000 * scale)
        assert [s.end for s in scaled.stages] == pytest.approx([s.end for s in whole.stages])

    def test_a_stage_without_steps_is_left_out(self) -> None:
        assert [stage.name for stage in _plan(_schedule(0, 10, 0), 8).stages] == ["isg"]
        assert [stage.name for stage in _plan(_schedule(5, 0, 5), 8).stages] == ["keyframes", "ist"]
        # 0.4 of a step rounds to none
        assert [stage.name for stage in _plan(_schedule(40, 4, 40, scale=0.1), 8).stages] == [
            "keyframes",
            "ist",
        ]

    @pytest.mark.parametrize("schedule", [_schedule(0, 0, 0), _schedule(scale=0.0), _schedule(scale=1e-3)])
    def test_a_plan_without_any_step_is_refused(self, schedule: Schedule) -> None:
        with pytest.raises(ConfigError, match=rf"0 training steps.*scale {schedule.scale:g}"):
            _plan(schedule, 8)

    def test_a_clip_of_one_frame_has_all_stages(self) -> None:
        plan = _plan(_schedule(), 1)
        assert [stage.frames for stage in plan.stages] == [(0,), (0,), (0,)]

    @pytest.mark.parametrize("strategy", ["isg", "ist", "uniform"])
    def test_one_strategy_keeps_its_weights_and_rate_through_stages_two_and_three(
        self, strategy: Strategy
    ) -> None:
        plan = _plan(_schedule(30, 50, 20, keyframe_interval=3, ist_rate=0.25), 8, strategy)
        assert [(stage.name, stage.end, stage.rate) for stage in plan.stages] == [
            ("keyframes", 0.3, 1), (strategy, 1, 1),
        ]  # fmt: skip

    def test_without_hierarchical_training_stage_one_goes_to_all_frames(self) -> None:
        plan = _plan(_schedule(30, 50, 20, keyframe_interval=3, hierarchical=False), 8)
        assert [(stage.name, stage.end) for stage in plan.stages] == [("isg", 0.8), ("ist", 1)]
        assert plan.steps == 100
        # no latent is interpolated
        assert plan.keyframes == tuple(range(8))


class TestLearningRate:
    def test_rises_linearly_over_the_warm_up(self) -> None:
        rates = [learning_rate(_OPTIMISER, 0.0, step) for step in range(7)]
        assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1])

    def test_falls_exponentially_to_its_final_share(self) -> None:
        rates = [learning_rate(_OPTIMISER, position, 10) for position in (0.0, 0.25, 0.5, 0.75, 1.0)]
        assert rates == pytest.approx([1, 0.01**0.25, 0.1, 0.01**0.75, 0.01])
