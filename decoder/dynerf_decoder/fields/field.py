"""The interface of fields: a model can be folded into static fields.

F(x, d, z_t) -> (colour, density) is a function of position x, direction d and the latent code z_t of frame t.
Within a frame z_t is constant, so ``fold`` puts it into the weights once and returns a static field, which is
then evaluated at millions of samples. Sampling, training, the file and the player use only this interface.

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
    """A static field per frame with density only, which suffices to place samples."""

    def density(self, points: Float[Tensor, "frame ray sample 3"]) -> Float[Tensor, "frame ray sample"]:
        """Density per cube unit, >= 0."""
        ...


@runtime_checkable
class FoldedField(FoldedDensity, Protocol):
    """A static field per frame with density and colour."""

    def query(
        self, points: Float[Tensor, "frame ray sample 3"], directions: Float[Tensor, "frame ray 3"]
    ) -> tuple[Float[Tensor, "frame ray sample"], Float[Tensor, "frame ray sample channel"]]:
        """Density, as from ``density``, and the radiance features to accumulate along the ray."""
        ...

    def shade(
        self, features: Float[Tensor, "frame ray channel"], directions: Float[Tensor, "frame ray 3"]
    ) -> Float[Tensor, "frame ray 3"]:
        """RGB of accumulated features (display-referred; may leave 0..1 slightly, the renderer clamps)."""
        ...


@runtime_checkable
class FoldedModel(Protocol):
    """The folded coarse and fine fields of some frames."""

    @property
    def fine(self) -> FoldedField: ...

    @property
    def coarse(self) -> FoldedDensity:
        """A ``FoldedField`` when its colours are trained too."""
        ...

    @property
    def occupancy(self) -> Occupancy | None:
        """Where the fields are empty, if known; fast rendering skips empty cells."""
        ...

    @property
    def floats_per_sample(self) -> int:
        """Roughly how many numbers the fields hold per sample at a time; determines the size of tiles."""
        ...

    def plain(self) -> "FoldedModel":
        """The same model in torch, without kernels or grids: the reference."""
        ...


@runtime_checkable
class MarchedModel(Protocol):
    """A folded model of one frame that can march whole rays by itself."""

    def march(
        self,
        intervals: RayIntervals,
        directions: Float[Tensor, "1 ray 3"],
        sampling: Sampling,
        min_transmittance: float,
    ) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]] | None:
        """Colours, and the positions (0 to 1) at which half of the light is absorbed.

        A ray ends at ``min_transmittance``; one that misses is black. None when marching is not supported
        here.
        """
        ...


class Model(nn.Module):
    """Base of both models: learnable coarse and fine fields that share the frames' latents.

    A model's tensors are stored in the file under their parameter names.
    """

    latent_size: int
    occupancy: Occupancy | None = None
    """Where the fields are empty, for the model's present weights."""

    def latent_columns(self) -> dict[str, slice]:
        """The columns that multiply the latent z, by weight name, when z enters through products W z only.

        Empty for a field that uses z otherwise, or does not say.
        """
        return {}

    def fold(self, latents: Float[Tensor, "frame latent"]) -> FoldedModel:
        """Put one latent per frame into the weights. Differentiable in weights and latents."""
        raise NotImplementedError
