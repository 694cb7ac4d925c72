"""The training loop over the stages of a schedule, with checkpoints, validation and a check of the poses.

In: a model, a source of rays, importance maps, a plan and the configuration. Out: the trained model and
latents, a ``StepReport`` per step, and the state for a checkpoint. The room ``step`` makes single steps.
Imports: captures, config, evaluation, frames, importance, ingest, rate, rays, schedule, step.
"""
