"""Encode one segment: read, choose a space, build importance maps, train, quantise, measure, write.

The work folder ``clip.work`` beside ``clip.dnv`` holds the decoded pictures, the importance maps and the
checkpoint. The checkpoint is removed when the file is written; pictures and maps are kept for the next run.
"""

import shutil
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.few_cameras import EXPECTATION, FEW, with_clear_space
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.local_origin import local_origin
from dynerf_encoder.captures.pose_signs import warn_of_convention
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.schema import Config
from dynerf_encoder.export.tensors import plain_config
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.build import ImportanceMap, build_isg, build_ist
from dynerf_encoder.importance.contact_sheet import save_importance
from dynerf_encoder.rate.target_size import check_target
from dynerf_encoder.rays.gpu_source import ray_source
from dynerf_encoder.schedule.keyframes import adaptive_keyframes, fixed_keyframes, frame_changes, interval_for
from dynerf_encoder.schedule.stages import Plan, StageName, plan_training
from dynerf_encoder.step.distributed import ProcessGroup, process_group
from dynerf_encoder.training.checkpoint import Checkpoint, check_same_job, load_checkpoint
from dynerf_encoder.training.pose_check import PoseCheck
from dynerf_encoder.training.resume import resume_relevant_options
from dynerf_encoder.training.trainer import Trainer
from dynerf_encoder.training.validation import HeldOutValidator
from dynerf_encoder.training.warm_start import fingerprint, start_from
from dynerf_format.errors import DynerfError, OutputError, ResumeError, ViewError
from dynerf_format.io.atomic_write import check_writable

from .clip_file import ClipFile
from .job import EncodeResult, Job, checkpoint_path, started_marker, work_folder
from .job_limits import check_job
from .quick_check import fault_warnings
from .training_run import TrainingRun
from .watcher import WARNING_PREFIX, NullWatcher, Watcher


@dataclass(frozen=True)
class _Prepared:
    """What is read and computed before the training: the same in all processes.

    ``space`` and the cameras of a training are relative to ``origin``, those of ``store`` are not.
    ``training`` and ``keyframes`` are indices of views and frames.
    """

    store: FrameStore
    training: tuple[int, ...]
    held_out: tuple[str, ...]
    origin: Float[np.ndarray, "3"]
    space: Space
    keyframes: tuple[int, ...]
    plan: Plan
    maps: dict[StageName, ImportanceMap]
    identity: dict[str, object]
    checkpoint: Checkpoint | None


def encode_segment(job: Job, watcher: Watcher) -> EncodeResult:
    """Encode a capture, or a segment of one, with one model. Raises DynerfError for invalid input.

    KeyboardInterrupt during training finishes the step, saves a checkpoint and is raised again. Under
    torchrun all processes train together (``step/distributed.py``) and the first one writes; the results of
    the others have size 0.
    """
    with process_group(job.device) as group:
        return _encode(job, watcher if group.leads else NullWatcher(), group)


def _encode(job: Job, watcher: Watcher, group: ProcessGroup) -> EncodeResult:
    prepared = _prepare(job, watcher, group)
    if job.save_importance is not None and group.leads:
        written = save_importance(job.save_importance, prepared.store, prepared.maps)
        watcher.message(f"{job.save_importance}: {len(written)} pictures of the importance maps")
    local = prepared.store.moved(-prepared.origin)
    trainer = _trainer(job, prepared, local, watcher, group)
    held_out = tuple(local.names.index(name) for name in prepared.held_out)
    space, sampling = prepared.space, job.config.sampling
    validator = HeldOutValidator(local, held_out, space, sampling, job.device)
    middle = prepared.keyframes[len(prepared.keyframes) // 2]
    check = PoseCheck(local, prepared.training, held_out, space, sampling, job.device, middle)
    clip = ClipFile(job, trainer, prepared.store, prepared.held_out, space.moved(prepared.origin))
    if job.config.rate.target > 0 and trainer.progress.step == 0:  # planes are still empty
        smallest = clip.size_at(job.config.quantisation)
        silent_job = replace(job, segment=replace(job.segment, sound=None))
        silent = replace(clip, job=silent_job).size_at(job.config.quantisation)
        check_target(smallest, job.config.rate.target, smallest - silent)
    TrainingRun(job, trainer, prepared.identity, validator, check, clip, watcher, group).run()
    if not group.leads:
        return EncodeResult(
            job.output, 0, None, trainer.progress.step, trainer.progress.seconds, work_folder(job)
        )
    return clip.write(validator, watcher)


def _prepare(job: Job, watcher: Watcher, group: ProcessGroup) -> _Prepared:
    """Validate the job, decode its videos and compute its maps; only the leader does so if none exist yet."""
    check_writable(job.output)
    check_job(job)
    resumable = checkpoint_path(job).exists() or started_marker(job).exists()
    if job.resume and job.output.exists() and not resumable:
        raise ResumeError(f"{job.output}: is finished, there is nothing to resume")
    capture, held_out = _read_capture(job)
    origin = _local_origin(capture, held_out)
    space = _choose_space(job, capture, held_out, origin)
    with group.leader_first():
        store = _store_frames(job, capture, watcher, group)
        _describe(job, capture, store, space, watcher)
        training = tuple(index for index, name in enumerate(store.names) if name not in held_out)
        keys = _keyframes(job, store, training, watcher)
        schedule = replace(job.config.schedule, scale=job.config.schedule.scale * job.segment.share)
        plan = plan_training(schedule, store.frames, job.config.importance.strategy, keys)
        identity = _identity(job, store)
        checkpoint = _find_checkpoint(job, identity)
        maps = _importance_maps(job, store, training, plan, watcher)
    return _Prepared(store, training, held_out, origin, space, keys, plan, maps, identity, checkpoint)


def _trainer(
    job: Job, prepared: _Prepared, local: FrameStore, watcher: Watcher, group: ProcessGroup
) -> Trainer:
    """The training at its start: new, from a predecessor, or from a checkpoint."""
    torch.manual_seed(job.seed)
    model = build_model(job.config.field, settings_record(_settings(job.config))).to(job.device)
    source = ray_source(local, prepared.training, torch.device(job.device), watcher.message)
    trainer = Trainer(
        job.config, model, prepared.space, source, prepared.maps, prepared.plan,
        frames=local.frames, seed=job.seed, time_limit=job.time_limit, group=group,
    )  # fmt: skip
    if job.segment.predecessor is not None:
        start_from(job.segment.predecessor, trainer, local.first_source_frame)
    if prepared.checkpoint is not None:
        trainer.restore(prepared.checkpoint.state, prepared.checkpoint.arrays)
        watcher.message(f"resuming after step {trainer.progress.step} of {prepared.plan.steps}")
    return trainer


def _read_capture(job: Job) -> tuple[Capture, tuple[str, ...]]:
    """The capture and the names of its held-out views."""
    capture = read_capture(job.capture, job.frames, job.reading)
    held_out = tuple(dict.fromkeys(job.hold_out))
    for name in held_out:
        capture.view(name)
    if len(capture.views) - len(held_out) < 2:
        raise ViewError(
            f"{job.capture}: {len(capture.views)} views, {len(held_out)} held out; "
            "expected at least two to train on"
        )
    if job.reading.depths is None:
        capture = with_clear_space(capture, set(capture.names) - set(held_out))
    return capture, held_out


def _local_origin(capture: Capture, held_out: tuple[str, ...]) -> Float[np.ndarray, "3"]:
    views = [view for view in capture.views if view.name not in held_out]
    return local_origin([view.camera for view in views], [view.near for view in views])


def _choose_space(
    job: Job, capture: Capture, held_out: tuple[str, ...], origin: Float[np.ndarray, "3"]
) -> Space:
    """The space, in coordinates relative to ``origin``."""
    views = [view for view in capture.views if view.name not in held_out]
    near, far = [view.near for view in views], [view.far for view in views]
    return choose_space([view.camera.moved(-origin) for view in views], near, far, job.space)


def _store_frames(job: Job, capture: Capture, watcher: Watcher, group: ProcessGroup) -> FrameStore:
    """The decoded pictures. An invalid capture leaves no new work folder behind."""
    folder = work_folder(job)
    new = False
    try:
        folder.mkdir(exist_ok=True)
        new = not any(folder.iterdir())
        if group.leads and not job.resume:
            started_marker(job).touch()
        store = FrameStore.build(
            capture,
            folder / "frames",
            frames=job.frames,
            downscale=job.downscale,
            videos=job.segment.videos,
            progress=lambda done, total: watcher.progress("decoding videos", done, total),
        )
    except OSError as error:
        raise OutputError(f"{folder}: the work folder cannot be made: {error.strerror}") from error
    except DynerfError:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return store


def _describe(job: Job, capture: Capture, store: FrameStore, space: Space, watcher: Watcher) -> None:
    """Report what will be encoded, after the capture has been validated."""
    if capture.untagged:
        watcher.message(f"{len(capture.untagged)} videos carry no colour tags: read as BT.709, limited range")
    for note in capture.notes:
        watcher.message(note)
    size = len(store.names) * store.frames * store.height * store.width * 3
    watcher.message(
        f"{len(store.names)} views of {store.width}x{store.height}, {store.frames} frames at "
        f"{float(store.fps):g} frames/s; pictures take {size / 1e6:.0f} MB in {store.folder}"
    )
    training = len(store.names) - len(set(job.hold_out))
    if training <= FEW:
        watcher.message(f"{WARNING_PREFIX}{training} training cameras: {EXPECTATION}")
    if warning := warn_of_convention(store.cameras, store.near, store.far):
        watcher.message(WARNING_PREFIX + warning)
    for warning in fault_warnings(store):
        watcher.message(WARNING_PREFIX + warning)
    watcher.message(
        f"space: {space.kind} ({'chosen from the rig' if job.space == 'auto' else 'as requested'})"
    )


def _identity(job: Job, store: FrameStore) -> dict[str, object]:
    """What must be equal for a checkpoint to be resumed."""
    return {
        "capture": store.fingerprint,
        "configuration": plain_config(job.config),
        "hold_out": sorted(set(job.hold_out)),
        "space": job.space,
        "seed": job.seed,
        "time_limit": job.time_limit,
        "overlap": list(job.segment.overlap),
        "share": job.segment.share,
        "predecessor": None if job.segment.predecessor is None else fingerprint(job.segment.predecessor),
        "device": torch.device(job.device).type,
        "threads": torch.get_num_threads() if job.device == "cpu" else 0,
    }


def _find_checkpoint(job: Job, identity: dict[str, object]) -> Checkpoint | None:
    path = checkpoint_path(job)
    if not job.resume or not path.exists():  # stopped before the training: pictures and maps are reused
        return None
    checkpoint = load_checkpoint(path)
    position = checkpoint.state.get("position")
    check_same_job(
        path, resume_relevant_options(checkpoint.job, position), resume_relevant_options(identity, position)
    )
    return checkpoint


def _keyframes(job: Job, store: FrameStore, training: tuple[int, ...], watcher: Watcher) -> tuple[int, ...]:
    """The keyframes, with a message unless they are simply every K-th frame."""
    schedule = job.config.schedule
    fixed = fixed_keyframes(store.frames, schedule.keyframe_interval)
    if schedule.keyframe_steps == 0 or not schedule.hierarchical:
        return fixed
    if schedule.keyframes == "auto":
        chosen = adaptive_keyframes(frame_changes(store, training), len(fixed))
        watcher.message(f"keyframes, where the video changes most: {', '.join(map(str, chosen))}")
        return chosen
    if (interval := interval_for(store.frames, schedule.keyframe_interval)) != schedule.keyframe_interval:
        longest = schedule.keyframe_interval
        watcher.message(f"keyframes: every {interval} frames, because the clip has no more than {longest}")
    return fixed


def _importance_maps(
    job: Job, store: FrameStore, training: tuple[int, ...], plan: Plan, watcher: Watcher
) -> dict[StageName, ImportanceMap]:
    settings = job.config.importance
    if settings.share == 0 or settings.strategy == "uniform" or store.frames == 1:
        return {}
    folder = work_folder(job) / "importance"
    maps: dict[StageName, ImportanceMap] = {}
    for stage in plan.stages:
        what = f"importance maps ({stage.name})"

        def report_progress(done: int, total: int, what: str = what) -> None:
            watcher.progress(what, done, total)

        if stage.name == "ist" or settings.strategy == "ist":
            maps[stage.name] = build_ist(
                store, training, settings.window, settings.floor, folder, report_progress
            )
        else:
            gamma = settings.keyframe_gamma if stage.name == "keyframes" else settings.gamma
            maps[stage.name] = build_isg(store, training, stage.frames, gamma, folder, report_progress)
    return maps


def _settings(config: Config) -> object:
    return config.planes if config.field == "planes" else config.mlp
