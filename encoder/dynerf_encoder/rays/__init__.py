"""Sources of training rays.

In: a ``FrameStore``, the training views, and an ``ImportanceMap`` of the stage. Out: ``TrainingRays`` with
origins, directions and colours, grouped by frame. Pictures are read from files by the CPU, from the GPU's
memory, or by the CPU into pinned memory for a GPU; all sources draw the same rays from the same random
generator.
Imports: frames, importance.
"""
