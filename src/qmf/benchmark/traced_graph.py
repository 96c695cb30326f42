"""A traced graph without what need not be computed: beside models this small, each operation counts by its call.

Gone are the masks of modalities of which it is known that none is absent, what is computed twice, and what nobody
reads. What is left gives the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node

__all__ = ["simplified"]

aten = torch.ops.aten
_SHAPING = {aten.unsqueeze.default, aten.view.default, aten.expand.default, aten.roll.default, aten.squeeze.dims}


def simplified(graph: GraphModule, all_true: int | None) -> GraphModule:
    """Give a graph of the same values with fewer operations.

    Parameters
    ----------
    graph : GraphModule
        As `make_fx` traces it: of functional operations, their results in ``meta``.
    all_true : int, optional
        Position of a placeholder that is known to be True throughout.
    """
    placeholders = graph.graph.find_nodes(op="placeholder")
    known: dict[Node, bool] = {} if all_true is None else {placeholders[all_true]: True}
    computed: dict[str, Node] = {}
    for node in [node for node in graph.graph.nodes if node.op == "call_function"]:
        value = _known(node, known)
        if value is not None:
            known[node] = value
        same = _same_as(node, known) or computed.setdefault(repr((node.target, node.args, node.kwargs)), node)
        if same is not node:
            node.replace_all_uses_with(same)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _known(node: Node, known: dict[Node, bool]) -> bool | None:
    """Say whether a node is True throughout, or False throughout; None where it is not known."""
    first = known.get(node.args[0]) if node.args and isinstance(node.args[0], Node) else None
    if first is None:
        return None
    if node.target is aten.bitwise_not.default:
        return not first
    if node.target in _SHAPING or node.target in (aten.all.dim, aten.detach.default):
        return first
    return None


def _same_as(node: Node, known: dict[Node, bool]) -> Node | None:
    """Give an earlier node of the same values, if there is one."""
    rule = _RULES.get(node.target)
    found = None if rule is None else rule(node.args, known)
    alike = isinstance(found, Node) and found.meta["val"].shape == node.meta["val"].shape
    return found if alike else None


def _first_where(wanted: bool) -> Callable[[Any, dict[Node, bool]], Any]:
    return lambda args, known: args[0] if isinstance(args[1], Node) and known.get(args[1]) is wanted else None


def _chosen(args: Any, known: dict[Node, bool]) -> Any:
    value = known.get(args[0])
    return None if value is None else args[1] if value else args[2]


_RULES: dict[Any, Callable[[Any, dict[Node, bool]], Any]] = {
    aten.detach.default: lambda args, known: args[0],
    aten.masked_fill.Scalar: _first_where(False),
    aten.mul.Tensor: _first_where(True),
    aten.bitwise_and.Tensor: _first_where(True),
    aten.where.self: _chosen,
}
