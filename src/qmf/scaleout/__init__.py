"""Work spread over the processes of a Ray cluster, on this machine or many (extra ``[ray]``)."""

from __future__ import annotations

from qmf.scaleout.tasks import cluster, in_order, in_order_of_ending

__all__ = ["cluster", "in_order", "in_order_of_ending"]
