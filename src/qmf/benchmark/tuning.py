"""The same number of trials for every method: settings chosen on a part of the training data, by Optuna."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qmf.benchmark.methods import Method
from qmf.benchmark.part import Part
from qmf.benchmark.together import train_together
from qmf.errors import MissingDependencyError
from qmf.randomness import derive_seed

if TYPE_CHECKING:
    from qmf.benchmark.runner import Unit

__all__ = ["held_out", "tuned"]

_SEEDS = 3  # that a setting is tried with, trained together
_HELD_OUT = 0.2


def tuned(unit: Unit, method: type[Method], parts: Sequence[Part], trials: int) -> Unit:
    """Give a unit with the settings that were best on a fifth of the training data, which the trials did not see.

    Parameters
    ----------
    unit : Unit
        With the recipe's settings, which are the first trial.
    method : type of Method
        Its class.
    parts : sequence of Part
        Training samples of each seed.
    trials : int
        How many settings to try.

    Returns
    -------
    Unit
        With the best of them: learning rate, weight decay, dropout, and what the method has in `Method.ranges`.

    Raises
    ------
    MissingDependencyError
        If Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingDependencyError('trials need Optuna, not installed here: pip install "qmf[tune]"') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seeds = unit.seeds[:_SEEDS]
    kept, held = held_out(parts[:_SEEDS], seeds)
    widths = {name: x.shape[1] for name, x in parts[0].features.items()}

    def score(trial: Any) -> float:
        budget = replace(
            unit.budget,
            learning_rate=trial.suggest_float("learning_rate", 3e-4, 3e-2, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-4, 1.0, log=True),
            dropout=trial.suggest_float("dropout", 0.0, 0.8),
        )
        own = {name: trial.suggest_float(name, *bounds) for name, bounds in method.ranges.items()}
        options = {**unit.options, **own}
        trained = train_together(
            lambda: method(widths, unit.num_classes, hidden=budget.hidden, dropout=budget.dropout, **options),
            kept,
            seeds,
            budget,
        )
        return float(np.mean([trained.accuracy(s, part) for s, part in enumerate(held)]))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    first = {name: getattr(unit.budget, name) for name in ("learning_rate", "weight_decay", "dropout")}
    own = {name: unit.options.get(name, default) for name, (default, _) in method.ranges.items()}
    study.enqueue_trial({**first, **own, "weight_decay": max(first["weight_decay"], 1e-4)})
    study.optimize(score, n_trials=trials)
    best = study.best_params
    options = {**unit.options, **{name: best.pop(name) for name in method.ranges}}
    return replace(unit, budget=replace(unit.budget, **best), options=options)


def held_out(parts: Sequence[Part], seeds: Sequence[int]) -> tuple[list[Part], list[Part]]:
    """Cut the training samples of each seed into those trained on and the fifth that settings are chosen by.

    Parameters
    ----------
    parts : sequence of Part
        Training samples of each seed.
    seeds : sequence of int
        Each has its own order.

    Returns
    -------
    (list of Part, list of Part)
        Trained on; held out.
    """
    cut = round((1 - _HELD_OUT) * len(parts[0]))
    orders = [
        np.random.default_rng(derive_seed(seed, "tuning")).permutation(len(part))
        for seed, part in zip(seeds, parts, strict=True)
    ]
    kept = [part.take(order[:cut]) for part, order in zip(parts, orders, strict=True)]
    return kept, [part.take(order[cut:]) for part, order in zip(parts, orders, strict=True)]
