"""What the rest of the project knows about a field: it can be folded.

F(x, d, z_t) -> (colour, density) is one function of position x, direction d and the latent code z_t of frame
t. Within a frame z_t is constant, so ``fold`` puts it into the weights once and returns a static field, which
is then asked for millions of samples. Sampling, training, the file and the player see only this interface.

Shapes: ``frame`` runs over the latents folded together, ``ray`` over the rays of one frame. Positions are in
the cube [-1, 1]^3, directions are unit vectors in the world.
"""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_format import Occupancy


@runtime_checkable
class FoldedDensity(Protocol):
    """A static field per frame, asked for its density only: enough to place samples."""

    def density(self, points: Float[Tensor, "frame ray sample 3"]) -> Float[Tensor, "frame ray sample"]:
        """Density per cube unit, >= 0."""
        ...


@runtime_checkable
class FoldedField(FoldedDensity, Protocol):
    """A static field per frame that has colours, too."""

    def query(
        self, points: Float[Tensor, "frame ray sample 3"], directions: Float[Tensor, "frame ray 3"]
    ) -> tuple[Float[Tensor, "frame ray sample"], Float[Tensor, "frame ray sample channel"]]:
        """Density, as ``density`` gives it, and the radiance features to accumulate along the ray."""
        ...

    def shade(
        self, features: Float[Tensor, "frame ray channel"], directions: Float[Tensor, "frame ray 3"]
    ) -> Float[Tensor, "frame ray 3"]:
        """Accumulated features to RGB (display-referred; may leave 0..1 slightly, the renderer clamps)."""
        ...


@runtime_checkable
class FoldedModel(Protocol):
    """The folded coarse and fine fields of some frames."""

    @property
    def fine(self) -> FoldedField: ...

    @property
    def coarse(self) -> FoldedDensity:
        """A ``FoldedField`` where its colours are trained, too."""
        ...

    @property
    def occupancy(self) -> Occupancy | None:
        """Where the fields are empty, if that is known: the fast way to render skips it."""
        ...

    @property
    def floats_per_sample(self) -> int:
        """About how many numbers the fields keep of a sample at once; decides the size of tiles."""
        ...

    def plain(self) -> "FoldedModel":
        """The same by torch alone, without kernels or grids: the reference."""
        ...


@runtime_checkable
class MarchedModel(Protocol):
    """A folded model of one frame that can follow whole rays by itself."""

    def march(
        self, segments: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling, opaque: float
    ) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]] | None:
        """Colours, and the positions (0 to 1) behind which half of the light is; None when it cannot do so
        here.

        A ray ends at transmittance ``opaque``; one that misses is black.
        """
        ...


class Model(nn.Module):
    """Base of both models: learnable coarse and fine fields that share the frames' latents.

    A model's tensors travel in the file under their parameter names.
    """

    latent_size: int
    occupancy: Occupancy | None = None
    """Where the fields are empty with the weights that the model has."""

    def latent_columns(self) -> dict[str, slice]:
        """Where the latent z is seen when it is seen through products W z only: the columns, by weight.

        Empty for a field that sees it otherwise, or does not tell.
        """
        return {}

    def fold(self, latents: Float[Tensor, "frame latent"]) -> FoldedModel:
        """Put one latent per frame into the weights. Differentiable in weights and latents."""
        raise NotImplementedError
