"""The training loop, readable from top to bottom.

Runs on Hugging Face Accelerate: the same code on CPU, GPU and several processes, with mixed precision.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from qmf.errors import ConfigError, RunError
from qmf.fusion import QualityAwareFusion
from qmf.objective import ObjectiveTerms, QMFObjective
from qmf.randomness import derive_seed
from qmf.training.batches import Batch, TensorBatches
from qmf.training.fingerprint import fingerprint
from qmf.training.interruption import TrainingInterruptedError, stop_signal
from qmf.training.logbook import Logbook, Row, progress_bar
from qmf.training.module_steps import ModuleSteps
from qmf.training.optimisation import build_optimizer, build_schedule
from qmf.training.random_state import seeded
from qmf.training.run_state import RunState
from qmf.training.settings import TrainingSettings
from qmf.training.sharding import agree_on_buffers, divided, whole
from qmf.training.stackable import can_be_stacked
from qmf.training.stacked_steps import StackedSteps
from qmf.types import FusionOutput

__all__ = ["TrainingResult", "train"]

if torch.distributed.is_available():
    # Imported once a process group is there, it keeps the group for good (as defaults of its arguments): the group's
    # threads then outlive `destroy_process_group`, and now and then abort the interpreter when it ends.
    import torch.distributed.nn


@dataclass(frozen=True)
class TrainingResult:
    """What a training run leaves behind, beside the trained model.

    Attributes
    ----------
    rows : list of dict
        Metrics of each epoch.
    best_epoch : int
        Epoch, from 0, whose weights the model now has: the best on the validation split; the last without one.
    stopped_early : bool
        True if the validation score had not improved for `patience` epochs.
    """

    rows: list[dict[str, Any]]
    best_epoch: int
    stopped_early: bool


def train(
    model: QualityAwareFusion,
    objective: QMFObjective,
    training: TensorBatches,
    validation: TensorBatches | None,
    settings: TrainingSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    verbose: bool = False,
) -> TrainingResult:
    """Train `model` in place and leave it with the weights of its best epoch.

    Parameters
    ----------
    model : QualityAwareFusion
        The model; moved to the accelerator.
    objective : QMFObjective
        What to minimise; keeps the history.
    training : TensorBatches
        Training set of N samples; their positions are the index of the history.
    validation : TensorBatches or None
        Held-out data that chooses the best epoch and when to stop; None: the last epoch is kept.
    settings : TrainingSettings
        How to train.
    folder : pathlib.Path, optional
        Where ``checkpoint.safetensors`` (every epoch and on SIGTERM), ``metrics.jsonl`` and TensorBoard events go.
    resume : bool, default False
        Go on from the checkpoint in `folder`, if there is one: the end is the same, bit for bit, as without the stop.
    verbose : bool, default False
        Show a progress bar on stderr.

    Returns
    -------
    TrainingResult
        Metrics and the best epoch.

    Raises
    ------
    RunError
        If the loss becomes NaN or infinite.
    TrainingInterruptedError
        On SIGTERM, after saving.
    DataError, ConfigError
        If the checkpoint is damaged, or belongs to other settings or data.
    """
    with seeded(settings.seed, "training"), stop_signal(armed=folder is not None) as stop:
        run = _Run(model, objective, training, validation, settings, folder, stop)
        try:
            return run.go(resume=resume, verbose=verbose)
        finally:
            run.steps.release()


class _Run:
    """One run: `go` is the whole, `_epoch` one pass over the data, `_step` one step of the optimiser."""

    def __init__(
        self,
        model: QualityAwareFusion,
        objective: QMFObjective,
        training: TensorBatches,
        validation: TensorBatches | None,
        settings: TrainingSettings,
        folder: Path | None,
        stop: threading.Event,
    ) -> None:
        self.settings, self.folder, self.stop = settings, folder, stop
        self.accelerator = _accelerator(settings.precision)
        self.whole, self.sharded = model, settings.shard and self.accelerator.num_processes > 1
        worker = divided(model, self.accelerator.device) if self.sharded else model
        self.steps: ModuleSteps | StackedSteps
        stacked = can_be_stacked(worker, settings, self.accelerator.device)
        if stacked:
            self.steps = StackedSteps(worker, settings.seed)
        else:
            self.steps = ModuleSteps(worker, self.accelerator, divided=self.sharded, compiled=settings.compile)
        optimizer = build_optimizer(self.steps.named_parameters(), settings, in_blocks=stacked)
        batches = training.num_batches(settings.batch_size)
        self.schedule = build_schedule(optimizer, settings, -(-batches // settings.accumulate))
        self.optimizer = self.accelerator.prepare(optimizer)
        self.modalities = model.modalities
        self.objective = objective.to(self.accelerator.device)
        sums = torch.zeros(2 + 2 * len(model.modalities), device=self.accelerator.device)
        scaler = self.accelerator.scaler
        self.state = RunState(worker, self.objective, self.optimizer, self.schedule, scaler, sums)
        self.fingerprint = "" if folder is None else fingerprint(settings, model, objective, training, validation)
        device = self.accelerator.device
        self.training = self.steps.prepared(training)
        self.validation = None if validation is None else validation.to(device)

    def go(self, *, resume: bool, verbose: bool) -> TrainingResult:
        state, main = self.state, self.accelerator.is_main_process
        checkpoint = None if self.folder is None else self.folder / "checkpoint.safetensors"
        if resume and checkpoint is not None and checkpoint.exists():
            state.restore(checkpoint, self.fingerprint)
            if not main:
                state.sums.zero_()  # they are of all processes, and counted once
        book = Logbook(self.folder if main else None, state.rows)
        with progress_bar(self.settings.epochs, shown=verbose and main) as bar:
            while not state.at.finished:
                row = self._epoch(checkpoint)
                book.add(row)
                if checkpoint is not None and (main or self.sharded):
                    state.save(checkpoint, self.fingerprint, write=main)
                bar(state.at.epoch, _headline(row))
                if checkpoint is not None and self._asked_to_stop() and not state.at.finished:
                    raise _interrupted(checkpoint, state.at.epoch)
        book.close()
        self.whole.load_state_dict(whole(state.best))
        return TrainingResult(state.rows, state.at.best_epoch, state.at.epoch < self.settings.epochs)

    def _epoch(self, checkpoint: Path | None) -> Row:
        started, at = time.perf_counter(), self.state.at
        self.state.model.train()
        self.objective.train()
        alone = self.accelerator.num_processes == 1
        if not alone:  # every process drops other units
            torch.manual_seed(derive_seed(self.settings.seed, "epoch", at.epoch, self.accelerator.process_index))
        for window in self._windows():
            self._step(window)
            at.sample = min(at.sample + len(window) * self.settings.batch_size, len(self.training))
            if alone and self.stop.is_set() and checkpoint is not None:
                self.steps.settle(self.objective)
                self.state.save(checkpoint, self.fingerprint)
                raise _interrupted(checkpoint, at.epoch)
        if self.objective.history is not None:
            self.objective.history.end_epoch()
        row = self._training_row()
        if self.sharded:
            agree_on_buffers(self.state.model)
        scores = self._validate()
        row |= {f"validation/{name}": value for name, value in scores.items()}
        row["seconds"] = round(time.perf_counter() - started, 4)
        self.state.keep_best(self._score(scores))
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(float(scores["objective"] if scores else row["loss"]))
        waited = at.epoch - at.best_epoch
        at.epoch, at.sample = at.epoch + 1, 0
        at.finished = at.epoch >= self.settings.epochs or waited >= self.settings.patience
        return row

    def _asked_to_stop(self) -> bool:
        """Say whether any of several processes was told to stop: they agree on it at the end of an epoch."""
        if self.accelerator.num_processes == 1:
            return False  # it stops by itself, within an epoch
        asked = torch.tensor(float(self.stop.is_set()), device=self.accelerator.device)
        return bool(self.accelerator.reduce(asked, "sum") > 0)

    def _windows(self) -> Iterator[list[Batch]]:
        """Batches, `accumulate` at a time; the last window takes what is left, so that nothing is thrown away."""
        batches = self.training.shuffled(
            self.settings.batch_size,
            self.settings.seed,
            self.state.at.epoch,
            first=self.state.at.sample,
            rank=self.accelerator.process_index,
            world_size=self.accelerator.num_processes,
        )
        batches = self.steps.ahead(batches, self.objective, (self.state.at.epoch, self.state.at.sample))
        while window := list(islice(batches, self.settings.accumulate)):
            yield window

    def _step(self, window: list[Batch]) -> None:
        """One optimiser step on a window of batches, each weighing as much as it has samples."""
        world = self.accelerator.num_processes
        total = min(len(window) * self.settings.batch_size, len(self.training) - self.state.at.sample)
        # Where this process's share of the first batch begins, in the order of the epoch.
        place = self.state.at.epoch, self.state.at.sample + self.accelerator.process_index * len(window[0].index)
        for batch in window:
            last, real = batch is window[-1], len(batch.index) if world == 1 else int((batch.index >= 0).sum())
            with self.steps.part(last=last):
                batch = batch.to(self.accelerator.device)
                # The gradient is the mean over processes, which may have fewer samples than others.
                share, complete = real * world / total, world == 1 and batch.present is None
                terms: ObjectiveTerms = self.steps.run(batch, self.objective, share, place, complete=complete)
            parts = [terms.loss[None], terms.fused[None], terms.unimodal, terms.ranking]
            self.state.sums.add_(torch.cat(parts).detach(), alpha=real)
        # Accelerate's wrapper, which a gradient scaler needs, looks for packages on disk at every step.
        optimizer = self.optimizer.optimizer if self.accelerator.scaler is None else self.optimizer
        if self.settings.clip_norm:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            self.accelerator.clip_grad_norm_(trained, self.settings.clip_norm)
        optimizer.step()
        if isinstance(self.schedule, LambdaLR):
            self.schedule.step()
        self.steps.clear(optimizer)

    def _training_row(self) -> Row:
        means = (self.accelerator.reduce(self.state.sums, "sum") / len(self.training)).tolist()
        self.state.sums.zero_()
        if not all(abs(value) < float("inf") for value in means):
            raise RunError(
                f"the training loss became NaN or infinite in epoch {self.state.at.epoch}: lower learning_rate"
                f" (now {self.settings.learning_rate}), set clip_norm, or use precision='no'."
            )
        m = len(self.modalities)
        row: Row = {"epoch": self.state.at.epoch, "loss": means[0], "fused": means[1]}
        row |= {f"unimodal/{name}": value for name, value in zip(self.modalities, means[2 : 2 + m], strict=True)}
        row |= {f"ranking/{name}": value for name, value in zip(self.modalities, means[2 + m :], strict=True)}
        row["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        return row

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Give loss and accuracy of the fused output, and the objective without regulariser; nothing without data."""
        if self.validation is None:
            return {}
        model, n = self.state.model.eval(), len(self.validation)
        fused = torch.zeros(2, device=self.accelerator.device)
        unimodal = torch.zeros(2, len(self.modalities), device=self.accelerator.device)
        for batch in self.validation.in_order(max(self.settings.batch_size, 1024)):
            batch = batch.to(self.accelerator.device)
            with self.accelerator.autocast():
                output: FusionOutput = model(batch.inputs, batch.present)
            loss = nn.functional.cross_entropy(output.logits, batch.target, reduction="sum")
            fused += torch.stack([loss, (output.logits.argmax(dim=1) == batch.target).sum()])
            f = output.unimodal_logits.transpose(1, 2)
            losses = nn.functional.cross_entropy(f, batch.target[:, None].expand(-1, f.shape[2]), reduction="none")
            unimodal += torch.stack([(losses * output.present).sum(dim=0), output.present.sum(dim=0)])
        loss_sum, hits = fused.tolist()
        alone = float((unimodal[0] / unimodal[1].clamp(min=1)).sum())
        return {"loss": loss_sum / n, "accuracy": hits / n, "objective": loss_sum / n + alone}

    def _score(self, scores: dict[str, float]) -> list[float]:
        """Give what `keep_best` compares, lower = better; without a validation set the last epoch is the best."""
        if not scores:
            return [-float(self.state.at.epoch)]
        if self.settings.monitor == "accuracy":
            return [-scores["accuracy"], scores["objective"]]
        return [scores[self.settings.monitor]]


def _interrupted(checkpoint: Path, epoch: int) -> TrainingInterruptedError:
    return TrainingInterruptedError(
        f"stopped by SIGTERM in epoch {epoch}, saved in {checkpoint}; resume it to go on (--resume)."
    )


def _headline(row: Row) -> str:
    """Give what the progress bar says of an epoch."""
    if "validation/accuracy" not in row:
        return f"loss {row['loss']:.3f}"
    return f"validation accuracy {row['validation/accuracy']:.3f}"


def _accelerator(precision: str) -> Accelerator:
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        raise ConfigError("FSDP of accelerate launch (--use_fsdp) does not know the history: set shard=True instead.")
    state = AcceleratorState._shared_state
    # Accelerate keeps one precision per process; a second fit with another one needs a fresh state.
    if state and state.get("_mixed_precision") != precision:
        AcceleratorState._reset_state()
    # Said outright: without it, processes started by torchrun on CPUs alone do not know of each other.
    return Accelerator(mixed_precision=precision, cpu=not torch.accelerator.is_available())
