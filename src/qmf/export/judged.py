"""What typicality looks at, taken out of a model or put into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from qmf.fusion import QualityAwareFusion
from qmf.typicality import Typicality
from qmf.uncertainty import Credibility

__all__ = ["judged_vectors", "takes_vectors", "typicalities"]


def takes_vectors(model: QualityAwareFusion, m: int) -> bool:
    """Say whether the encoder of modality m takes vectors; else it is a network that is trained with the model."""
    return bool(getattr(model.encoders[m], "takes_vectors", False))


def typicalities(model: QualityAwareFusion) -> dict[int, Typicality]:
    """Give those that have been fitted, by the position of their modality."""
    if not isinstance(model.uncertainty, Credibility):
        return {}
    return {m: one for m, one in enumerate(model.uncertainty.typicality) if isinstance(one, Typicality) and one.fitted}


@contextmanager
def judged_vectors(
    model: QualityAwareFusion, instead: Mapping[int, Tensor] | None = None
) -> Iterator[dict[int, Tensor]]:
    """Note what the typicality of each modality is asked about; where given, let it look at something else.

    Parameters
    ----------
    model : QualityAwareFusion
        Asked once inside the block.
    instead : mapping of int to Tensor [B, D_m], optional
        By the position of the modality, what its typicality looks at.

    Yields
    ------
    dict of int to Tensor [B, D_m]
        By position, what the model itself would have it look at: the vectors that come in, or the features of a network
        that is trained with the model. A modality that is absent throughout is not there.
    """
    seen: dict[int, Tensor] = {}

    def looking(m: int) -> Any:
        def hook(_: nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor] | None:
            seen[m] = arguments[0]
            return None if instead is None or m not in instead else (instead[m],)

        return hook

    handles = [one.register_forward_pre_hook(looking(m)) for m, one in typicalities(model).items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
