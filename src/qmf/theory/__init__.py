"""The theory of QMF, on numbers: what Theorems 1 and 2 say about a model and held-out data.

Pure functions on NumPy arrays. `certify` gives all of it at once; docs/theory.md says what it means.
"""

from qmf.theory.bootstrap import CovarianceTest, covariance_tests
from qmf.theory.bound import Bound, bound_terms
from qmf.theory.certificate import Certificate, Fusion, ModalityTerms
from qmf.theory.certifying import certify
from qmf.theory.complexity import Complexity, LinearHead, contraction_factor, head_complexity, lipschitz_constant
from qmf.theory.quantities import bounded_loss, covariance, fused, fused_loss, on_simplex
from qmf.theory.verdict import Verdict, judge, status_of

__all__ = [
    "Bound",
    "Certificate",
    "Complexity",
    "CovarianceTest",
    "Fusion",
    "LinearHead",
    "ModalityTerms",
    "Verdict",
    "bound_terms",
    "bounded_loss",
    "certify",
    "contraction_factor",
    "covariance",
    "covariance_tests",
    "fused",
    "fused_loss",
    "head_complexity",
    "judge",
    "lipschitz_constant",
    "on_simplex",
    "status_of",
]
