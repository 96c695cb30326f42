"""The methods of the benchmark, one file for each family: a name, a network, a loss, all on the same encoders."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from qmf.benchmark.methods.averages import BestSingle, ProbabilityAverage, ProductOfExperts
from qmf.benchmark.methods.base import GivenDropout, Method, Step
from qmf.benchmark.methods.evidential import ECML, ETMC, TMC
from qmf.benchmark.methods.feature_fusion import MMTM, Alignment, Concat
from qmf.benchmark.methods.late_fusion import LateFusion, MaskOracle, MatchedStatic
from qmf.benchmark.methods.pdf import PDF
from qmf.benchmark.methods.qmf import OfficialRGBD, OfficialTextImage, QMFPaper, QMFSimplex
from qmf.benchmark.methods.robust import QMFRobust
from qmf.errors import ConfigError

__all__ = ["METHODS", "GivenDropout", "Method", "Step", "find_method"]

METHODS: dict[str, type[Method]] = {
    "robust": QMFRobust,
    "paper": QMFPaper,
    "simplex": QMFSimplex,
    "official-rgbd": OfficialRGBD,
    "official-text-image": OfficialTextImage,
    "static": MatchedStatic,
    "late-fusion": LateFusion,
    "concat": Concat,
    "probability-average": ProbabilityAverage,
    "product-of-experts": ProductOfExperts,
    "best-single": BestSingle,
    "alignment": Alignment,
    "mmtm": MMTM,
    "tmc": TMC,
    "etmc": ETMC,
    "ecml": ECML,
    "pdf": PDF,
    "mask-oracle": MaskOracle,
}
"""Name to method, in the order of the tables."""


def find_method(name: str) -> type[Method]:
    """Give a method by name.

    Parameters
    ----------
    name : str
        A key of `METHODS`; the name of an entry point of the group ``qmf.methods``; or ``package.module:Class``.

    Returns
    -------
    type of Method
        Its class.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name in METHODS:
        return METHODS[name]
    found: object = None
    module, colon, class_name = name.partition(":")
    try:
        if colon:
            found = getattr(import_module(module), class_name)
        else:
            found = next((point.load() for point in entry_points(group="qmf.methods", name=name)), None)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"method {name!r}: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise ConfigError(
            f"no method {name!r}; known: {', '.join(METHODS)}; or package.module:Class of a subclass of"
            " qmf.benchmark.methods.Method."
        )
    return found
