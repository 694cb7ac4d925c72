"""One training step: forward and backward pass over a batch of rays, then one optimiser update.

In: rays and jitter of the step, and the state of a training (``StepState``). Out: updated parameters and
``StepMetrics``. ``factory.py`` chooses the implementation: ``cpu.py`` (numba kernels), ``reference.py``
(torch autograd, in several processes by ``distributed.py``) or ``gpu.py``, which replays the latter as a CUDA
graph.
Imports: config, kernels, rate, rays.
"""
