"""Encoder: from a capture (videos and poses) to a ``.dnv`` file.

Rooms in the order of the data path:

- ``jobs``: runs an encode, in one process, several processes or on a cluster, and writes the file
- ``config``: settings, presets and overrides
- ``captures``: reads a capture of any layout (``captures/layouts``)
- ``calibration``: finds poses, lenses and offsets in time of a folder of videos (pycolmap, child processes)
- ``checking``: finds what is wrong with a capture (``checking/quick``: without matched points)
- ``capture_faults``: black, frozen and duplicate cameras, and the form in which faults are reported
- ``ingest``: undistorts pictures and makes them one size
- ``frames``: decoded pictures, memory-mapped
- ``schedule``: stages, keyframes, learning rate, initial latents
- ``importance``: importance maps (ISG, IST)
- ``rays``: draws training rays
- ``training``: the training loop, checkpoints, warm start and validation
- ``step``: one optimiser update, by CPU kernels, torch or CUDA graphs, also distributed
- ``kernels``: the numba kernels of training
- ``rate``: rate loss, rate control, target size and quantisation steps
- ``sound``: a clip's sound, chosen, read and coded as one Opus stream
- ``layers``: trains quality layers, and the tensors after each
- ``export``: tensors, latents and occupancy grids as the file stores them
- ``evaluation``: quality metrics of a clip
"""
