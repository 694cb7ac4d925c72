"""Compiles the ray-marching kernel for an H100 without a GPU, and counts the relevant instructions.

A test runs it in a separate process: Triton decides at import whether kernels are interpreted.
"""

import re
from collections import Counter

from dynerf_decoder.backends.triton.triton_march import march

_HALF = {"coarse_planes", "coarse_first", "planes", "first", "second"}
_FLOATS = {
    "coarse_bias", "coarse_second", "coarse_offset", "bias", "offsets", "starts", "steps", "lengths", "out",
    "medians",
}  # fmt: skip
_NUMBERS = {"raw_bias", "raw_least", "raw_most", "padding", "coarse_min_transmittance", "min_transmittance"}
_SIZES = {
    "OUTPUTS": 10, "BINS": 32, "SCALES": 3, "BLOCK": 128, "COARSE_CHANNELS": 4, "COARSE_WIDTH": 16,
    "COARSE_HIDDEN": 16, "CHANNELS": 8, "WIDTH": 16, "HIDDEN": 64, "LANES": 16,
}  # fmt: skip


def main() -> None:
    """Print the number of instructions of each kind."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kinds = {name: _kind(name) for name in march.arg_names}
    pointers = _HALF | _FLOATS | {"hit"}
    attributes = {
        (index,): [["tt.divisibility", 16]] for index, name in enumerate(march.arg_names) if name in pointers
    }
    source = ASTSource(march, kinds, _SIZES, attributes)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4})
    found = re.findall(r"ld\.global[\w.]*|wgmma\.mma_async|mma\.sync", compiled.asm["ptx"])
    print(dict(Counter(found)))  # noqa: T201


def _kind(name: str) -> str:
    if name in _SIZES:
        return "constexpr"
    if name in _HALF:
        return "*fp16"
    if name in _FLOATS:
        return "*fp32"
    return "*i8" if name == "hit" else "fp32" if name in _NUMBERS else "i32"


if __name__ == "__main__":
    main()
