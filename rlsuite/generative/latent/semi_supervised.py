"""Semi-supervised learning with deep generative models: labels, known or not, beside the code (Kingma's M2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from rlsuite.errors import HyperparameterError
from rlsuite.generative.blocks import mlp
from rlsuite.generative.latent.gaussians import Rank
from rlsuite.generative.latent.likelihoods import Kind, Noise
from rlsuite.generative.latent.vae import VAE
from rlsuite.generative.normalisation import Identity


class SemiSupervisedVAE(VAE):
    """y ~ p(y), z ~ N(0, I), x | y, z ~ likelihood(decoder(z, y)), with q(y | x) and q(z | x, y) (Kingma et al., 2014, M2).

    The condition is the label: one-hot ``(*batch, L)`` where it is known, zeros where it is not. The bounds (equations 6
    and 7), of log p(x, y) for labelled events and of log p(x) for others::

        −L(x, y) = E_q [log p(x | y, z)] + log p(y) − KL(q(z | x, y) ‖ p(z))
        −U(x)    = Σ_y q(y | x) (−L(x, y)) + H(q(y | x))

    Both are Σ_y w_y (−L(x, y) − log w_y), with the weights w one-hot or q(y | x). The loss adds α times the mean of
    −log q(y | x) over labelled events (equation 9, whose α is 0.1 N beside sums over N events), without which q(y | x) would
    learn from the others alone. As the code's prior knows no label, the code keeps what the label does not say: decode it
    with another label to change the label and keep the content.

    p(y) is the labels' frequency in the training data, with one more of each.

    Args:
        condition_shape: L, how many labels.
        classification: α, beside bounds that count 1 per event.

    The others are those of :class:`VAE`.
    """

    name = "semi-supervised-vae"
    log_prior: Tensor
    labelled: Tensor

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int],
        *,
        classification: float = 1.0,
        latent_size: int = 8,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
        likelihood: Kind = "gaussian",
        noise: Noise = "learned",
        n_values: int = 2,
        posterior: Rank = "diagonal",
    ) -> None:
        super().__init__(
            event_shape,
            condition_shape,
            latent_size=latent_size,
            hidden=hidden,
            activation=activation,
            likelihood=likelihood,
            noise=noise,
            n_values=n_values,
            posterior=posterior,
        )
        if self.condition_shape is None or len(self.condition_shape) != 1 or self.n_labels < 2:
            raise HyperparameterError(
                f"condition_shape is the number of labels, at least 2, not {condition_shape!r}: labels are one-hot"
            )
        if classification < 0.0:
            raise HyperparameterError(f"classification is not negative, not {classification!r}")
        self.classification = classification
        self.condition_normalizer = Identity(self.condition_shape)
        self.classifier = mlp(self.entries.n_features, self.hidden, self.n_labels, activation)
        self.register_buffer("log_prior", torch.zeros(self.n_labels).log_softmax(0))  # log p(y)
        self.register_buffer("labelled", torch.ones(()))  # fraction of the training events that have a label

    @property
    def n_labels(self) -> int:
        return self.condition_size

    def classify(self, x: Tensor) -> Tensor:
        """q(y | x) ``(*batch, L)`` of events in the user's units."""
        x, _, batch = self.flat(x, torch.zeros(self.n_labels))
        return self._log_labels(self.normalizer(x)).exp().reshape(*batch, self.n_labels)

    def _log_labels(self, x: Tensor) -> Tensor:
        """log q(y | x) ``(n, L)`` of normalised events."""
        return self.classifier(self.entries.features(x.flatten(1))).log_softmax(-1)

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        labels = _labels(condition)
        counts = 1.0 + labels.sum(0)
        self.log_prior.copy_((counts / counts.sum()).log())
        self.labelled.copy_(labels.sum().clamp(min=1.0) / len(labels))

    def labelled_bound(self, x: Tensor, labels: Tensor, particles: int, generator: torch.Generator | None) -> Tensor:
        """−L(x, y) ``(n)`` of normalised events and one-hot ``labels (n, L)``."""
        return super()._bound(x, labels, particles, generator) + labels @ self.log_prior

    def _bound(self, x: Tensor, condition: Tensor | None, particles: int, generator: torch.Generator | None) -> Tensor:
        labels = _labels(condition)
        known = labels.any(1)
        log_weights = torch.where(known[:, None], labels.log(), self._log_labels(x))
        row, label = (log_weights > -torch.inf).nonzero(as_tuple=True)  # no work for labels of weight 0
        log_w = log_weights[row, label]
        one_hot = F.one_hot(label, self.n_labels).to(x)
        terms = log_w.exp() * (self.labelled_bound(x[row], one_hot, particles, generator) - log_w)
        return x.new_zeros(len(x)).index_add(0, row, terms)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        cross_entropy = -(_labels(condition) * self._log_labels(x)).sum(1)
        return self.classification / self.labelled * cross_entropy - self._bound(x, condition, 1, generator)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        labels = _labels(condition)
        drawn = torch.multinomial(self.log_prior.exp().expand(n, -1), 1, generator=generator)[:, 0]
        return super()._sample(n, self._filled(labels, F.one_hot(drawn, self.n_labels).to(labels)), generator)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """The code given the label, or the most probable one."""
        guess = F.one_hot(self._log_labels(x).argmax(1), self.n_labels).to(x)
        return super()._encode(x, self._filled(_labels(condition), guess))

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """The event of a code and its label, or the most frequent one."""
        labels = _labels(condition)
        common = F.one_hot(self.log_prior.argmax(), self.n_labels).to(labels).expand_as(labels)
        return super()._decode(z, self._filled(labels, common))

    @staticmethod
    def _filled(labels: Tensor, others: Tensor) -> Tensor:
        return torch.where(labels.any(1, keepdim=True), labels, others)


def _labels(condition: Tensor | None) -> Tensor:
    """The condition, if its rows are one-hot or zeros.

    Raises:
        HyperparameterError: they are not.
    """
    if condition is None:
        raise HyperparameterError("labels are needed: one-hot rows, or zeros where a label is not known")
    if not (((condition == 0) | (condition == 1)).all() and (condition.sum(1) <= 1).all()):
        raise HyperparameterError("labels are one-hot rows, or zeros where a label is not known")
    return condition
