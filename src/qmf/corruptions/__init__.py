"""What goes wrong with data, for every modality: noise, blur, holes, typos, stuck sensors, absence, mix-ups.

A corrupted copy of a sample is a function of (seed, corruption, sample id, modality, parameters) and of nothing else.
A corruption is a pure function in the file of its family and one line in `CORRUPTIONS`.

Written with NumPy, SciPy and Pillow; kornia was considered and not taken: it works on batches of tensors with a
global seed, brings torch, and covers none of text, sound, tables and depth holes. SciPy and Pillow load when used.
"""

from __future__ import annotations

from qmf.corruptions.absence import absent_mask, missing_patterns
from qmf.corruptions.apply import corrupt, corrupt_vectors
from qmf.corruptions.corruption import SEVERITIES, Corruption, Parameter
from qmf.corruptions.paper import PAPER_NOISES, paper_corrupt, paper_hit
from qmf.corruptions.registry import CORRUPTIONS, DEVELOPMENT, EVALUATION_SUITE, KINDS
from qmf.corruptions.swap import swap_partner

__all__ = [
    "CORRUPTIONS",
    "DEVELOPMENT",
    "EVALUATION_SUITE",
    "KINDS",
    "PAPER_NOISES",
    "SEVERITIES",
    "Corruption",
    "Parameter",
    "absent_mask",
    "corrupt",
    "corrupt_vectors",
    "missing_patterns",
    "paper_corrupt",
    "paper_hit",
    "swap_partner",
]
