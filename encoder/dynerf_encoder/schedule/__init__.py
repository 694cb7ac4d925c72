"""The course of a training: keyframes, stages, learning rate and initial latents.

In: the settings of the schedule and of the conditioning, the number of frames, and the changes between frames
when keyframes are adaptive. Out: a ``Plan`` of stages over positions 0 to 1, the learning rate at a position,
and the latents that the training starts with.
Imports: config, frames.
"""
