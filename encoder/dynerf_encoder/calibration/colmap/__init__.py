"""What pycolmap does, in child processes: features, verified matches, and poses by structure from motion.

In: requests as JSON with the paths of npz files. Out: npz files, and one line on standard output per finished
unit. pycolmap can end a process with a signal and installs handlers of its own, so only ``child.py`` and what
it imports load it; ``run_children.py`` starts children and turns their end into errors.
Imports: calibration/pairs, captures.
"""
