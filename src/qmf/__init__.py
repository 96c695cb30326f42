"""Quality-aware multimodal fusion: a classifier that trusts each modality per sample.

Read on in this order: `qmf.fusion` (the model), `qmf.objective` (what training minimises), and for the parts
`qmf.uncertainty`, `qmf.weighting`, `qmf.history`, `qmf.ranking`. What people hold is `QMFClassifier`, and `fuse` for
the logits of classifiers trained elsewhere.

Names are loaded when they are used: ``import qmf`` alone imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from qmf import corruptions as corruptions
    from qmf import datasets as datasets
    from qmf import theory as theory
    from qmf.errors import ConfigError as ConfigError
    from qmf.errors import DataError as DataError
    from qmf.errors import ModelFolderError as ModelFolderError
    from qmf.errors import QMFError as QMFError
    from qmf.estimator import QMFClassifier as QMFClassifier
    from qmf.fusion import QualityAwareFusion as QualityAwareFusion
    from qmf.history import LossHistory as LossHistory
    from qmf.objective import QMFObjective as QMFObjective
    from qmf.posthoc import PostHocFusion as PostHocFusion
    from qmf.posthoc import fuse as fuse
    from qmf.ranking import ranking_loss as ranking_loss
    from qmf.types import FusionOutput as FusionOutput
    from qmf.types import Prediction as Prediction
    from qmf.types import PredictionSets as PredictionSets

_HOMES = {
    "ConfigError": "qmf.errors",
    "DataError": "qmf.errors",
    "FusionOutput": "qmf.types",
    "LossHistory": "qmf.history",
    "ModelFolderError": "qmf.errors",
    "PostHocFusion": "qmf.posthoc",
    "Prediction": "qmf.types",
    "PredictionSets": "qmf.types",
    "QMFClassifier": "qmf.estimator",
    "QMFError": "qmf.errors",
    "QMFObjective": "qmf.objective",
    "QualityAwareFusion": "qmf.fusion",
    "fuse": "qmf.posthoc",
    "ranking_loss": "qmf.ranking",
}
_MODULES = ("corruptions", "datasets", "theory")

__all__ = [
    "ConfigError",
    "DataError",
    "FusionOutput",
    "LossHistory",
    "ModelFolderError",
    "PostHocFusion",
    "Prediction",
    "PredictionSets",
    "QMFClassifier",
    "QMFError",
    "QMFObjective",
    "QualityAwareFusion",
    "corruptions",
    "datasets",
    "fuse",
    "ranking_loss",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"qmf.{name}")
    raise AttributeError(f"module 'qmf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
