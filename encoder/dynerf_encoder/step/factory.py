"""The choice of the training step's implementation; no other module depends on it."""

from typing import Any

from .cpu import CpuKernelStep, supports
from .cuda_graph import graph_backend
from .gpu import CudaGraphStep
from .protocol import StepState, TrainingStep
from .reference import TorchStep
from .torch_compile import compiler_for


def make_step(state: StepState) -> TrainingStep[Any]:
    """The fastest step for a model on its device.

    Kernels train ``planes`` on a CPU in one process. On a GPU torch's steps are captured as CUDA graphs,
    unless there is a target size, which needs every step's estimate on the CPU, or several processes exchange
    gradients. Everything else is trained by torch, operation by operation.
    """
    device = state.latents.device
    if state.group.size > 1:
        return TorchStep(state)
    if device.type == "cpu" and supports(state.config, state.model):
        return CpuKernelStep(state)
    graphs = graph_backend(device)
    if graphs is None or state.config.rate.target > 0:
        return TorchStep(state)
    return CudaGraphStep(TorchStep(state, compiler_for(state.config.field, device)), state, graphs)
