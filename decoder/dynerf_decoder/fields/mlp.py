"""The ``mlp`` field: the paper's networks (DyNeRF, 3.1 and 4.1), coarse and fine, of the same shape.

    h_1      = [PE(x), z]
    h_{i+1}  = relu(W_i h_i + b_i)              8 layers of 512; layer 6 takes [PE(x), z, h] (NeRF's skip)
    sigma    = softplus(w h)
    rgb      = sigmoid(V relu(U [W h, PE(d)]))   a view branch of 256

PE has 10 frequencies for x and 4 for d; z, which has 1024 numbers, is not encoded. Each network then has
3,354,372 parameters; both networks and 300 latents in float32 are the 28 MB that the paper states.

NeRF's sigma = relu(w h) is replaced by softplus, as in its successors (mip-NeRF, 3.1): a network whose
density is initially zero everywhere never learns under relu.

Only layers 1 and 6 take z as input, and linearly: W [x; z] + b = W_x x + (W_z z + b). Folding replaces their
biases, so that the 1024 latent numbers cost nothing per sample.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from dynerf_decoder.setting import setting
from dynerf_format import Occupancy

from .field import Model
from .positional_encoding import encode, encoded_size


@dataclass(frozen=True)
class MlpSettings:
    """Sizes of the ``mlp`` model, by default the paper's; stored in the file's field record.

    When ``networks`` is 1, the only network serves as coarse and fine, and its densities place the samples.
    """

    latent: int = setting("Dimensions of the latent code.", "dimensions", default=1024)
    depth: int = setting("Hidden layers.", "layers", default=8)
    width: int = setting("Units of a hidden layer.", "units", default=512)
    skip: int = setting(
        "Layer that takes the encoded position and the latent as input again.", "layer number", default=5
    )
    position_frequencies: int = setting(
        "Octaves of the positional encoding of positions.", "octaves", default=10
    )
    direction_frequencies: int = setting(
        "Octaves of the positional encoding of directions.", "octaves", default=4
    )
    networks: int = setting("2: a coarse and a fine network; 1: one for both.", "networks", default=2)


class MlpModel(Model):
    """Coarse and fine networks of the same shape (NeRF, 5.2), or one for both, and the frames' latents."""

    def __init__(self, settings: MlpSettings) -> None:
        super().__init__()
        self.settings = settings
        self.latent_size = settings.latent
        self.fine = MlpNetwork(settings)
        self.coarse = MlpNetwork(settings) if settings.networks == 2 else self.fine

    def latent_columns(self) -> dict[str, slice]:
        start = self.fine.position_size
        layers = {0, self.settings.skip} & set(range(self.settings.depth))
        return {
            f"{network}.layers.{layer}.weight": slice(start, start + self.settings.latent)
            for network in ("fine", "coarse")[: self.settings.networks]
            for layer in sorted(layers)
        }

    def fold(self, latents: Float[Tensor, "frame latent"]) -> "FoldedMlpModel":
        fine = self.fine.fold(latents)
        coarse = fine if self.coarse is self.fine else self.coarse.fold(latents)
        return FoldedMlpModel(fine, coarse, self.occupancy)


class MlpNetwork(nn.Module):
    """NeRF's multilayer perceptron with z concatenated to the encoded position."""

    def __init__(self, settings: MlpSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.position_size = encoded_size(3, settings.position_frequencies)
        inputs = self.position_size + settings.latent
        sizes = [inputs] + [
            width + inputs if layer == settings.skip else width for layer in range(1, settings.depth)
        ]
        self.layers = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.density = nn.Linear(width, 1)
        self.feature = nn.Linear(width, width)
        self.view = nn.Linear(width + encoded_size(3, settings.direction_frequencies), width // 2)
        self.rgb = nn.Linear(width // 2, 3)

    def fold(self, latents: Float[Tensor, "frame latent"]) -> "FoldedNetwork":
        """Compute each frame's biases of the layers that take z."""
        start, stop = self.position_size, self.position_size + self.settings.latent
        biases: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            if index in (0, self.settings.skip):
                biases.append(latents @ layer.weight[:, start:stop].T + layer.bias)
            else:
                biases.append(layer.bias.expand(len(latents), -1))
        return FoldedNetwork(self, biases)

    def forward(
        self,
        points: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        latents: Float[Tensor, "n latent"],
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """The network as in the paper, with z concatenated per sample: the slow reference for ``fold``."""
        inputs = torch.cat([encode(points, self.settings.position_frequencies), latents], dim=-1)
        hidden = inputs
        for index, layer in enumerate(self.layers):
            hidden = F.relu(
                layer(torch.cat([inputs, hidden], dim=-1) if index == self.settings.skip else hidden)
            )
        return self._density_of(hidden).squeeze(-1), self._colour_of(hidden, directions)

    def _density_of(self, hidden: Tensor) -> Tensor:
        return F.softplus(self.density(hidden))

    def _colour_of(self, hidden: Tensor, directions: Tensor) -> Tensor:
        view_inputs = torch.cat(
            [self.feature(hidden), encode(directions, self.settings.direction_frequencies)], dim=-1
        )
        return torch.sigmoid(self.rgb(F.relu(self.view(view_inputs))))


@dataclass(frozen=True)
class FoldedNetwork:
    """A network with the latent folded into its biases, one set of biases per frame."""

    network: MlpNetwork
    biases: list[Float[Tensor, "frame width"]]

    def query(
        self, points: Float[Tensor, "frame ray sample 3"], directions: Float[Tensor, "frame ray 3"]
    ) -> tuple[Float[Tensor, "frame ray sample"], Float[Tensor, "frame ray sample 3"]]:
        frames, rays, samples, _ = points.shape
        hidden = self._hidden(points)
        density = self.network._density_of(hidden).view(frames, rays, samples)
        inputs = directions.unsqueeze(2).expand(-1, -1, samples, -1).reshape(frames, -1, 3)
        colour = self.network._colour_of(hidden, inputs).view(frames, rays, samples, 3)
        return density.to(points.dtype), colour.to(points.dtype)  # under autocast they are of half precision

    def density(self, points: Float[Tensor, "frame ray sample 3"]) -> Float[Tensor, "frame ray sample"]:
        """Density without the colour branch."""
        return self.network._density_of(self._hidden(points)).view(points.shape[:-1]).to(points.dtype)

    def shade(
        self, features: Float[Tensor, "frame ray 3"], directions: Float[Tensor, "frame ray 3"]
    ) -> Float[Tensor, "frame ray 3"]:
        """Return the features: colour already depends on direction at each sample."""
        return features

    def _hidden(self, points: Float[Tensor, "frame ray sample 3"]) -> Float[Tensor, "frame point width"]:
        """Outputs of the last layer shared by density and colour."""
        frames = len(points)
        network, settings = self.network, self.network.settings
        position = encode(points.reshape(frames, -1, 3), settings.position_frequencies)
        hidden = position
        for index, layer in enumerate(network.layers):
            assert isinstance(layer, nn.Linear)
            weight = layer.weight
            if index == 0:
                weight = weight[:, : network.position_size]
            elif index == settings.skip:
                hidden = torch.cat([position, hidden], dim=-1)
                weight = torch.cat([weight[:, : network.position_size], weight[:, -settings.width :]], dim=-1)
            hidden = F.relu(torch.baddbmm(self.biases[index].unsqueeze(1), hidden, _shared(weight, frames)))
        return hidden


def _shared(weight: Float[Tensor, "out in"], frames: int) -> Float[Tensor, "frame in out"]:
    return weight.T.expand(frames, -1, -1)


@dataclass(frozen=True)
class FoldedMlpModel:
    """Both folded networks."""

    fine: FoldedNetwork
    coarse: FoldedNetwork
    occupancy: Occupancy | None = None

    @property
    def floats_per_sample(self) -> int:
        """Inputs and outputs of the widest layer, that of the skip connection."""
        settings = self.fine.network.settings
        return 2 * settings.width + self.fine.network.position_size

    def plain(self) -> "FoldedMlpModel":
        """The same model without grids; it has no kernels."""
        return FoldedMlpModel(self.fine, self.coarse)
