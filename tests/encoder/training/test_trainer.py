"""Training on a tiny scene: it learns, follows the plan, and resumes to the bit."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numba.core.event import trigger_event

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.schema import Config, FieldKind
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.build import ImportanceMap, build_isg
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_encoder.rays.cpu_source import RaySource, TrainingRays
from dynerf_encoder.schedule.keyframes import fixed_keyframes
from dynerf_encoder.schedule.stages import interpolate_latents, plan_training
from dynerf_encoder.step.factory import make_step
from dynerf_encoder.step.protocol import StepState, TrainingStep
from dynerf_encoder.training.trainer import StepReport, Trainer
from dynerf_format.errors import ConfigError, ResumeError
from support.encoding import one_thread, scene_store, tiny_config

_VIEWS = (1, 2, 3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return scene_store(tmp_path_factory.mktemp("train"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


class _RecordingSource(RaySource):
    """Records each draw; ``on_draw`` is called at each step and may change the rays."""

    def __init__(self, store: FrameStore, on_draw: Callable[[TrainingRays], object] | None = None) -> None:
        super().__init__(store, _VIEWS)
        self.draws: list[tuple[tuple[int, ...], ImportanceMap | None, float]] = []
        self._on_draw = on_draw

    def draw(
        self,
        rng: np.random.Generator,
        frames: Sequence[int] | np.ndarray,
        frames_per_step: int,
        rays: int,
        importance: ImportanceMap | None,
        share: float,
    ) -> TrainingRays:
        self.draws.append((tuple(frames), importance, share))
        drawn = super().draw(rng, frames, frames_per_step, rays, importance, share)
        if self._on_draw is not None:
            self._on_draw(drawn)
        return drawn


class _Clock:
    """Replaces ``time`` in the trainer."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


def _step_without_prefetch(state: StepState) -> TrainingStep[Any]:
    """The usual step, but rays are drawn when they are used, in this thread."""
    step = make_step(state)
    step.prefetch = False
    return step


def _trainer(
    store: FrameStore,
    config: Config,
    *,
    source: RaySource | None = None,
    maps: Mapping[Any, ImportanceMap] | None = None,
    seed: int = 0,
    time_limit: float | None = None,
) -> Trainer:
    torch.manual_seed(seed)
    settings = config.planes if config.field == "planes" else config.mlp
    space = choose_space([store.cameras[view] for view in _VIEWS], [2.0] * 3, [8.0] * 3)
    model = build_model(config.field, settings_record(settings))
    keys = fixed_keyframes(store.frames, config.schedule.keyframe_interval)
    plan = plan_training(config.schedule, store.frames, config.importance.strategy, keys)
    return Trainer(
        config, model, space, source or RaySource(store, _VIEWS), maps or {}, plan,
        frames=store.frames, seed=seed, time_limit=time_limit, make_step=_step_without_prefetch,
    )  # fmt: skip


def _train(trainer: Trainer, steps: int | None = None) -> list[StepReport]:
    return list(itertools.islice(trainer.run(), steps))


def _numbers(trainer: Trainer) -> dict[str, np.ndarray]:
    return trainer.export()[1]


def _equal(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def _moved(trainer: Trainer, before: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """How far the changed values of a parameter moved."""
    change = np.abs(_numbers(trainer)[name].astype(np.float64) - before[name])
    moved: np.ndarray = change[change > 0]
    return moved


class TestLearning:
    @pytest.mark.parametrize(("kind", "gain"), [("planes", 4.0), ("mlp", 2.5)])
    def test_the_error_falls(self, store: FrameStore, kind: FieldKind, gain: float) -> None:
        config = tiny_config("schedule.scale=4", "mlp.width=32", "mlp.latent=8", kind=kind)
        if kind == "mlp":
            config = tiny_config("schedule.scale=6", "optimiser.network_rate=5e-3", kind=kind)
        reports = _train(_trainer(store, config))
        first, last = (np.mean([report.psnr for report in part]) for part in (reports[:8], reports[-8:]))
        assert last > first + gain
        losses = [report.loss for report in reports]
        assert np.mean(losses[-8:]) < 0.6 * np.mean(losses[:8])

    def test_a_step_reports_its_own_rays(self, store: FrameStore) -> None:
        report = _train(_trainer(store, tiny_config("schedule.rays=97")), 1)[0]
        assert report.rays == 96  # of two frames
        assert (report.stage, report.progress.step, report.progress.stage) == ("keyframes", 1, 0)
        # without total variation the loss is the colours' error plus the coarse field's loss
        plain = tiny_config("optimiser.total_variation=0", "optimiser.coarse_weight=0")
        report = _train(_trainer(store, plain), 1)[0]
        assert report.loss == pytest.approx(10 ** (-report.psnr / 10), rel=1e-5)

    def test_the_coarse_network_of_the_mlp_learns_by_its_own_colours(self, store: FrameStore) -> None:
        for weight, learns in ((0, False), (1, True)):
            trainer = _trainer(store, tiny_config(f"optimiser.coarse_weight={weight}", kind="mlp"))
            before = _numbers(trainer)
            _train(trainer, 3)
            assert bool(_moved(trainer, before, "model/coarse.rgb.weight").size) is learns
            assert _moved(trainer, before, "model/fine.rgb.weight").size

    def test_the_coarse_planes_learn_by_the_histogram_bound(self, store: FrameStore) -> None:
        for weight, learns in ((0, False), (1, True)):
            settings = (f"optimiser.coarse_weight={weight}", "optimiser.total_variation=0")
            trainer = _trainer(store, tiny_config(*settings))
            before = _numbers(trainer)
            _train(trainer, 3)
            assert bool(_moved(trainer, before, "model/coarse.static.0").size) is learns
            assert _moved(trainer, before, "model/fine.static.0").size

    def test_total_variation_makes_planes_smoother(self, store: FrameStore) -> None:
        rough, smooth = (
            _trainer(store, tiny_config(f"optimiser.total_variation={weight}")) for weight in (0, 10)
        )
        for trainer in (rough, smooth):
            _train(trainer)
        for name in ("model/fine.static.0", "model/fine.basis.0", "model/coarse.static.0"):
            a, b = (np.abs(np.diff(_numbers(trainer)[name])).mean() for trainer in (rough, smooth))
            assert b < 0.5 * a, name

    def test_a_training_that_diverges_raises(self, store: FrameStore) -> None:
        trainer = _trainer(store, tiny_config("optimiser.planes_rate=1e30", "optimiser.network_rate=1e30"))
        with pytest.raises(
            ConfigError, match=r"diverged at step \d+: the loss is (nan|inf); lower optimiser"
        ):
            _train(trainer)


class TestRates:
    @pytest.mark.parametrize("kind", ["planes", "mlp"])
    def test_planes_networks_and_latents_have_their_own_rates(
        self, store: FrameStore, kind: FieldKind
    ) -> None:
        # Adam's first step moves every number that has a gradient by the learning rate.
        rates = (
            "optimiser.planes_rate=0.5", "optimiser.network_rate=0.01", "optimiser.latent_gain=10",
        )  # fmt: skip
        trainer = _trainer(store, tiny_config(*rates, kind=kind))
        before = _numbers(trainer)
        _train(trainer, 1)
        for name in before:
            rate = 0.1 if name == "latents" else 0.5 if is_plane(name) else 0.01
            np.testing.assert_allclose(_moved(trainer, before, name), rate, rtol=1e-3, err_msg=name)
        # those of planes get gradients once the basis planes have left zero
        assert bool(_moved(trainer, before, "latents").size) is (kind == "mlp")

    def test_only_latents_of_drawn_frames_move(self, store: FrameStore) -> None:
        trainer = _trainer(store, tiny_config("schedule.frames_per_step=1", "schedule.keyframe_interval=4"))
        before = _numbers(trainer)["latents"]
        _train(trainer, 3)
        moved = (_numbers(trainer)["latents"] != before).any(axis=1)
        assert moved[[0, 4]].any()
        assert not moved[1:4].any()

    @pytest.mark.parametrize(
        ("settings", "rate"),
        [
            (("optimiser.warm_up=9",), 0.001),
            (("schedule.keyframe_steps=0",), 0.01),
            (("schedule.keyframe_steps=0", "schedule.isg_steps=0", "schedule.ist_rate=0.25"), 0.0025),
        ],
    )
    def test_warm_up_and_stage_scale_all_of_them(
        self, store: FrameStore, settings: tuple[str, ...], rate: float
    ) -> None:
        rates = ("optimiser.network_rate=0.01", "optimiser.latent_gain=1")
        trainer = _trainer(store, tiny_config(*rates, *settings, kind="mlp"))
        before = _numbers(trainer)
        _train(trainer, 1)
        for name in ("latents", "model/fine.rgb.weight"):
            assert _moved(trainer, before, name).size
            np.testing.assert_allclose(_moved(trainer, before, name), rate, rtol=1e-3)

    def test_decay_follows_the_position(self, store: FrameStore) -> None:
        trainer = _trainer(store, tiny_config("optimiser.final_rate=0", "schedule.scale=0.25"))
        _train(trainer, 1)
        before = _numbers(trainer)
        _train(trainer, 1)  # at the rate 0 ** (1 / 7)
        assert not any(_moved(trainer, before, name).size for name in before if "adam" not in name)
        assert _moved(trainer, before, "adam/0/exp_avg").size


class TestStages:
    def test_keyframes_then_all_frames_each_with_its_map(self, store: FrameStore, tmp_path: Path) -> None:
        source = _RecordingSource(store)
        maps = {
            "keyframes": build_isg(store, _VIEWS, (0, 3, 4), 1e-3, tmp_path / "a"),
            "isg": build_isg(store, _VIEWS, range(5), 2e-2, tmp_path / "b"),
        }
        reports = _train(_trainer(store, tiny_config("importance.share=0.4"), source=source, maps=maps))
        # Each step is reported under its own stage, the last one of a stage, too.
        assert [report.stage for report in reports] == ["keyframes"] * 6 + ["isg"] * 12 + ["ist"] * 6
        keyframes, isg, ist = source.draws[:6], source.draws[6:18], source.draws[18:]
        assert set(keyframes) == {((0, 3, 4), maps["keyframes"], 0.4)}
        assert set(isg) == {(tuple(range(5)), maps["isg"], 0.4)}
        assert set(ist) == {(tuple(range(5)), None, 0.4)}

    @pytest.mark.parametrize(
        "settings", [(), ("schedule.isg_steps=0",), ("schedule.isg_steps=0", "schedule.ist_steps=0")]
    )
    def test_after_keyframes_latents_are_interpolated(
        self, store: FrameStore, settings: tuple[str, ...]
    ) -> None:
        trainer = _trainer(store, tiny_config(*settings))
        steps = trainer.run()
        for _ in range(5):
            next(steps)
        latents = trainer.latents.detach().clone()
        assert not torch.equal(interpolate_latents(latents, (0, 3, 4)), latents)
        next(steps)
        latents = trainer.latents.detach().clone()
        torch.testing.assert_close(interpolate_latents(latents, (0, 3, 4)), latents, rtol=0, atol=0)

    def test_all_latents_start_between_those_of_the_keyframes(self, store: FrameStore) -> None:
        latents = _trainer(store, tiny_config("optimiser.latent_sigma=2")).latents.detach()
        torch.testing.assert_close(interpolate_latents(latents, (0, 3, 4)), latents, rtol=0, atol=0)
        wide = _trainer(store, tiny_config("planes.latent=4000", "optimiser.latent_sigma=2")).latents.detach()
        assert float(wide[[0, 3, 4]].std()) == pytest.approx(2, rel=0.05)


class TestTimeLimit:
    def test_all_stages_run_with_fewer_steps(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = _Clock()
        monkeypatch.setattr("dynerf_encoder.training.trainer.time", clock)
        source = _RecordingSource(store, lambda _: clock.tick(1.0))
        config = tiny_config("schedule.scale=100", "optimiser.final_rate=0.5")
        reports = _train(_trainer(store, config, source=source, time_limit=20.0))
        assert len(reports) == 20
        frames = [len(drawn) for drawn, _, _ in source.draws]
        assert frames == [3] * 5 + [5] * 15  # a quarter of the training is for keyframes, as without a limit
        assert [report.stage for report in reports].count("ist") >= 5
        assert [report.progress.position for report in reports] == pytest.approx(np.arange(1, 21) / 20)

    def test_a_limit_that_is_not_reached_changes_nothing(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = _trainer(store, tiny_config())
        _train(free)
        clock = _Clock()
        monkeypatch.setattr("dynerf_encoder.training.trainer.time", clock)
        source = _RecordingSource(store, lambda _: clock.tick(1.0))
        limited = _trainer(store, tiny_config(), source=source, time_limit=25.0)
        _train(limited)
        assert _equal(_numbers(free), _numbers(limited))
        assert limited.progress.seconds == 24

    def test_the_time_of_the_caller_does_not_count(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = _Clock()
        monkeypatch.setattr("dynerf_encoder.training.trainer.time", clock)
        source = _RecordingSource(store, lambda _: clock.tick(1.0))
        steps = 0
        trainer = _trainer(store, tiny_config(), source=source, time_limit=10.0)
        for _ in trainer.run():
            clock.tick(100.0)
            steps += 1
        assert (steps, trainer.progress.seconds) == (10, 10)

    def test_compiling_kernels_does_not_count(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the first step, in the middle, and at the first step of a resumed training."""
        clock, compiled, compiled_in = _Clock(), {1, 5, 7}, list[str]()
        monkeypatch.setattr("dynerf_encoder.training.trainer.time", clock)
        monkeypatch.setattr("dynerf_decoder.backends.cpu.compile_clock.time", clock)

        def draw(_: TrainingRays) -> None:
            clock.tick(1.0)
            if len(source.draws) in compiled:
                with trigger_event("numba:compiler_lock"), trigger_event("numba:compile"):
                    clock.tick(1000.0)

        source = _RecordingSource(store, draw)
        first = _trainer(store, tiny_config(), source=source, time_limit=10.0)
        with closing(first.run(lambda: compiled_in.append("first"))) as reports:
            assert [report.progress.seconds for report in itertools.islice(reports, 6)] == [1, 2, 3, 4, 5, 6]
        second = _trainer(store, tiny_config(), source=source, time_limit=10.0)
        second.restore(*first.export())
        with closing(second.run(lambda: compiled_in.append("second"))) as reports:
            assert [report.progress.seconds for report in reports] == [7, 8, 9, 10]
        assert compiled_in == ["first", "second"]

    def test_continues_counting_after_a_resume(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = _Clock()
        monkeypatch.setattr("dynerf_encoder.training.trainer.time", clock)
        source = _RecordingSource(store, lambda _: clock.tick(1.0))
        first = _trainer(store, tiny_config(), source=source, time_limit=10.0)
        _train(first, 4)
        clock.tick(1e6)
        second = _trainer(store, tiny_config(), source=source, time_limit=10.0)
        second.restore(*first.export())
        assert len(_train(second)) == 6


class TestResume:
    @pytest.mark.parametrize("kind", ["planes", "mlp"])
    @pytest.mark.parametrize("at", [0, 6, 15])
    def test_ends_with_the_same_bits_wherever_it_stopped(
        self, store: FrameStore, kind: FieldKind, at: int
    ) -> None:
        whole = _trainer(store, tiny_config(kind=kind))
        _train(whole)
        first, second = (_trainer(store, tiny_config(kind=kind)) for _ in range(2))
        _train(first, at)
        torch.manual_seed(12345)  # no global random state may matter
        second.restore(*first.export())
        assert _equal(_numbers(second), _numbers(first))
        assert len(_train(second)) == 24 - at
        assert _equal(_numbers(second), _numbers(whole))

    def test_what_was_exported_does_not_change_with_the_training(self, store: FrameStore) -> None:
        trainer = _trainer(store, tiny_config())
        _train(trainer, 2)
        progress, arrays = trainer.export()
        kept = {name: array.copy() for name, array in arrays.items()}
        _train(trainer, 2)
        assert _equal(arrays, kept)
        assert progress["step"] == 2
        assert not _equal(arrays, _numbers(trainer))

    def test_another_seed_gives_other_weights(self, store: FrameStore) -> None:
        trainers = [_trainer(store, tiny_config(), seed=seed) for seed in (0, 0, 1)]
        for trainer in trainers:
            _train(trainer, 4)
        numbers = [_numbers(trainer) for trainer in trainers]
        assert _equal(numbers[0], numbers[1])
        assert not np.array_equal(numbers[0]["latents"], numbers[2]["latents"])
        assert not np.array_equal(numbers[0]["model/fine.static.0"], numbers[2]["model/fine.static.0"])

    def test_each_step_and_seed_draws_other_rays(self, store: FrameStore) -> None:
        drawn = []
        for seed in (0, 1):
            source = _RecordingSource(store, lambda rays: drawn.append(rays.directions.numpy().tobytes()))
            _train(_trainer(store, tiny_config(), source=source, seed=seed), 3)
        assert len(set(drawn)) == 6

    def test_arrays_of_another_model_are_refused(self, store: FrameStore) -> None:
        trainer = _trainer(store, tiny_config())
        _train(trainer, 2)
        progress, arrays = trainer.export()
        for name in ("model/fine.static.0", "latents", "adam/0/exp_avg"):
            for changed in (None, np.zeros((2, 2), np.float32), np.array(["text"])):
                damaged = {key: value for key, value in arrays.items() if key != name}
                if changed is not None:
                    damaged[name] = changed
                with pytest.raises(ResumeError, match="the checkpoint does not hold this model"):
                    _trainer(store, tiny_config()).restore(progress, damaged)

    @pytest.mark.parametrize(
        "changes",
        [
            {"step": "2"}, {"step": 2.5}, {"step": -1}, {"step": None},
            {"position": float("nan")}, {"position": 1.5}, {"position": -0.1}, {"position": "0.5"},
            {"seconds": float("inf")}, {"seconds": -1.0}, {"seconds": []},
            {"stage": 3}, {"stage": -1}, {"stage": "isg"},
        ],
        ids=str,
    )  # fmt: skip
    def test_progress_outside_the_plan_is_refused(
        self, store: FrameStore, changes: dict[str, object]
    ) -> None:
        trainer = _trainer(store, tiny_config())
        progress, arrays = trainer.export()
        with pytest.raises(ResumeError):
            trainer.restore(progress | changes, arrays)

    def test_incomplete_progress_is_refused(self, store: FrameStore) -> None:
        trainer = _trainer(store, tiny_config())
        progress, arrays = trainer.export()
        for name in progress:
            with pytest.raises(ResumeError):
                trainer.restore({key: value for key, value in progress.items() if key != name}, arrays)


def test_the_held_out_view_is_never_read(store: FrameStore) -> None:
    seen: list[np.ndarray] = []
    source = _RecordingSource(store, lambda rays: seen.append(rays.origins.reshape(-1, 3).numpy()))
    _train(_trainer(store, tiny_config(), source=source))
    origins = np.unique(np.concatenate(seen), axis=0)
    held_out = store.cameras[0].origin.astype(np.float32)
    assert len(origins) == 3
    assert not (origins == held_out).all(axis=1).any()
