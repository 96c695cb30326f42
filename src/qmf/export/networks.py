"""The networks before a model: which modality goes through which, as modules that can be exported."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from qmf.encoders.graph_inputs import GraphInput, Vectors
from qmf.errors import ConfigError
from qmf.estimator import QMFClassifier
from qmf.export.document import CELL_TYPES
from qmf.export.judged import takes_vectors, typicalities
from qmf.export.signature import Signature

__all__ = ["networks_before"]


def networks_before(classifier: QMFClassifier) -> tuple[Signature, list[nn.Module]]:
    """Give what the graph takes, and for each modality the module from its tensors to what the model takes.

    Parameters
    ----------
    classifier : QMFClassifier
        Fitted.

    Returns
    -------
    signature : Signature
        What the graph takes.
    networks : list of M nn.Module
        `nn.Identity` where the model takes vectors. They are those of the encoders: copy before changing.

    Raises
    ------
    ConfigError
        If an encoder cannot be exported, with the name of the modality.
    """
    steps = {} if classifier.preparation_ is None else classifier.preparation_.steps
    specs = {} if classifier.preparation_ is None else classifier.preparation_.specs
    inputs: dict[str, GraphInput] = {}
    networks: list[nn.Module] = []
    for name, width in classifier.widths_.items():
        if name in specs and specs[name].type not in CELL_TYPES:
            inputs[name], network = _exported(name, steps[name])
        else:
            inputs[name], network = Vectors(width), nn.Identity()
        networks.append(network)
    judged = typicalities(classifier.model_)
    computed = [
        name
        for m, name in enumerate(inputs)
        if (not isinstance(networks[m], nn.Identity) if takes_vectors(classifier.model_, m) else m in judged)
    ]
    return Signature(inputs, computed), networks


def _exported(name: str, encoder: Any) -> tuple[GraphInput, nn.Module]:
    remedy = "Encode it first and train on its vectors, or use the model folder."
    if not hasattr(encoder, "graph_input") or not hasattr(encoder, "network"):
        raise ConfigError(
            f"modality {name!r}: its encoder {type(encoder).__name__} has no graph_input() and network(), which"
            f" exporting takes (see qmf.encoders.graph_inputs). {remedy}"
        )
    try:
        return encoder.graph_input(), copy.deepcopy(encoder.network()).cpu()
    except ConfigError as error:
        raise ConfigError(f"modality {name!r} can not be exported: {error}. {remedy}") from error
