"""Which training step serves: the only place that knows."""

from typing import Any

from .cpu import CpuKernelStep, serves
from .cuda_graph import graphs_on
from .gpu import CudaGraphStep
from .protocol import StepState, TrainingStep
from .reference import TorchStep
from .torch_compile import compiler_for


def make_step(state: StepState) -> TrainingStep[Any]:
    """The fastest step for a model on its device.

    Kernels train ``planes`` on a CPU in one process. On a GPU steps by torch are captured as CUDA graphs,
    unless a target size is followed, for which every step's estimate has to be read, or several processes
    exchange gradients. All else is trained by torch, operation by operation.
    """
    device = state.latents.device
    if state.group.size > 1:
        return TorchStep(state)
    if device.type == "cpu" and serves(state.config, state.model):
        return CpuKernelStep(state)
    graphs = graphs_on(device)
    if graphs is None or state.config.rate.target > 0:
        return TorchStep(state)
    return CudaGraphStep(TorchStep(state, compiler_for(state.config.field, device)), state, graphs)
