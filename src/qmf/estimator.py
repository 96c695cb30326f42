"""`QMFClassifier`: the method in scikit-learn's conventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from qmf.answering import AnsweringMixin
from qmf.assembly import ask_in_patterns, build_model, in_double, run_model, tensor_batches
from qmf.calibration import PatternCalibration
from qmf.data import (
    RawSamples,
    SampleParts,
    Samples,
)
from qmf.errors import ConfigError, DataError
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.persistence import ModelFolderMixin
from qmf.preparation import (
    Preparation,
    Problem,
)
from qmf.ranking import Pairs
from qmf.training import TrainingSettings, train
from qmf.training.random_state import seeded
from qmf.training_input import TrainingInputMixin
from qmf.types import FusionArrays

if TYPE_CHECKING:
    from qmf.history import LossHistory

__all__ = ["QMFClassifier"]

# Of more samples than these, so many are drawn: enough to learn what follows from them, few enough for memory.
_NUMBERS = 1 << 25  # to standardise a modality: samples times features
_TYPICAL = 50_000
_CALIBRATING = 100_000


class QMFClassifier(TrainingInputMixin, AnsweringMixin, ModelFolderMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Quality-aware multimodal classifier: trusts each modality per sample, and says how far.

    ``X``, wherever it is asked for, is one of

    - a mapping from modality to an array ``[N, D_m]``, or to a list with None where the modality is absent;
    - a data frame (pandas, polars, pyarrow) or a 2-D array, with `views` saying which columns are which modality;
    - a data frame or 2-D array without `views`: one modality named "features";
    - with `modalities`: a data frame, a Hugging Face data set or a mapping that holds paths of pictures and sounds,
      texts, numbers, categories and vectors; or `RawSamples`, as the loaders of `qmf.datasets` give them.

    A row that is all NaN, or None, an empty text, or a missing file, says that the modality is absent for that sample.

    Parameters
    ----------
    preset : {"robust", "paper", "official-rgbd", "official-text-image", "static"}, default "robust"
        Variant of the method; see `qmf.presets`. `robust` stays right where a modality goes bad; `paper` is the method
        as published.
    uncertainty, weighting : str, optional
        Override the preset; keys of `qmf.uncertainty.ESTIMATORS` and `qmf.weighting.WEIGHTINGS`, or "linear:BETA" for
        linear weights with another intercept.
    views : mapping of str to columns, optional
        For a data frame: a column name, a list of them, or a pattern such as "fou_*". For an array: indices or slice.
    modalities : mapping of str to str or mapping, optional
        Modality name to its type (image, text, depth, audio, numeric, categorical, vector); or to a mapping with
        ``type`` and, if need be, ``columns``, ``encoder`` and ``options``. See `qmf.preparation.ModalitySpec`.
    on_error : {"raise", "absent"}
        What a file or text means that is there and cannot be read.
    workers : int, default 0
        Processes that decode files; 0 = this one.
    ranking_weight : float, optional
        ``lambda``, the weight of the ranking regulariser; by default the preset's.
    pairs : {"adjacent", "all"}
        Pairs of a batch that the regulariser compares.
    history_start_epoch : int, default 0
        First epoch whose losses enter the history.
    hidden : int, default 128
        Width of the hidden layer of each modality's encoder.
    dropout : float, default 0.3
        Dropout in each encoder.
    modality_dropout : float or mapping of str to float, default 0
        Rate at which, in training, a sample's modality is treated as absent; by modality, those not named are
        protected. Every sample keeps at least one.
    augmentation : sequence of mapping of str to str, optional
        Each entry adds a damaged copy of all training samples, modality to ``NAME[:SEVERITY[:RATE]]``, for example
        ``[{"image": "gaussian_noise:3"}]``; see `qmf.preparation.Damage`. Held-out samples are never among them.
    class_weight : {"balanced"} or mapping of label to float, optional
        Weight of each class in the cross-entropies.
    label_smoothing : float in [0, 1), default 0
        Label smoothing of the cross-entropies.
    epochs, batch_size, accumulate, optimizer, learning_rate, backbone_learning_rate, weight_decay, schedule, \
warmup_epochs, clip_norm, patience, monitor, precision, compile, shard
        How to train; see `qmf.training.TrainingSettings`.
    validation_fraction : float in [0, 1), default 0.1
        Share of each class held out of training to choose the best epoch, to stop early and to calibrate, where `fit`
        is given no validation data. 0 = train to the last epoch, not calibrated.
    random_state : int, RandomState or None
        Seed of everything drawn; None takes one from NumPy's global generator.
    verbose : bool, default False
        Show a progress bar on stderr.

    Attributes
    ----------
    classes_ : ndarray [K]
        Class labels, sorted.
    modalities_ : tuple of M str
        Modalities, in the order of all ``[N, M]`` outputs.
    widths_ : dict of str to int
        Number of features ``D_m`` of each modality.
    n_features_in_ : int
        Features of all modalities together.
    model_ : QualityAwareFusion
        The trained model.
    calibration_ : PatternCalibration or None
        What held-out samples say about probabilities, sets and when to abstain; None where there were fewer than 50.
    history_ : LossHistory or None
        What training has learned about each training sample; None without a regulariser.
    training_rows_ : list of dict
        Metrics of each epoch.
    n_iter_ : int
        Epochs trained.
    preparation_ : Preparation or None
        Encoders and what was learnt about tables; None where X was vectors from the start.
    problems_ : list of Problem
        What could not be read in training and counts as absent (``on_error="absent"``).
    train_ids_ : ndarray of str
        Ids of the samples trained on, in the order of the history; not in a model that was loaded.

    References
    ----------
    QMF: Zhang et al., Provable Dynamic Fusion for Low-Quality Multimodal Data, ICML 2023.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["cat", "dog"] * 50)
    >>> X = {"image": rng.normal((y == "dog")[:, None], 0.3, (100, 4)), "text": rng.normal(0.0, 1.0, (100, 3))}
    >>> classifier = QMFClassifier(epochs=20, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        *,
        preset: str = "robust",
        uncertainty: str | None = None,
        weighting: str | None = None,
        views: Mapping[str, Any] | None = None,
        modalities: Mapping[str, Any] | None = None,
        on_error: Literal["raise", "absent"] = "raise",
        workers: int = 0,
        ranking_weight: float | None = None,
        pairs: Pairs = "adjacent",
        history_start_epoch: int = 0,
        hidden: int = 128,
        dropout: float = 0.3,
        modality_dropout: float | Mapping[str, float] = 0.0,
        augmentation: Sequence[Mapping[str, str]] | None = None,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        label_smoothing: float = 0.0,
        epochs: int = 100,
        batch_size: int = 64,
        accumulate: int = 1,
        optimizer: str = "adamw",
        learning_rate: float = 3e-3,
        backbone_learning_rate: float = 1e-4,
        weight_decay: float = 1e-2,
        schedule: str = "cosine",
        warmup_epochs: float = 0.0,
        clip_norm: float = 0.0,
        patience: int = 20,
        monitor: str = "objective",
        precision: str = "no",
        compile: bool = False,
        shard: bool = False,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.uncertainty = uncertainty
        self.weighting = weighting
        self.views = views
        self.modalities = modalities
        self.on_error = on_error
        self.workers = workers
        self.ranking_weight = ranking_weight
        self.pairs = pairs
        self.history_start_epoch = history_start_epoch
        self.hidden = hidden
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.augmentation = augmentation
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.epochs = epochs
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.backbone_learning_rate = backbone_learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.clip_norm = clip_norm
        self.patience = patience
        self.monitor = monitor
        self.precision = precision
        self.compile = compile
        self.shard = shard
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        validation: tuple[Any, ArrayLike] | Samples | RawSamples | SampleParts | None = None,
        run_dir: str | Path | None = None,
        resume: bool = False,
    ) -> QMFClassifier:
        """Train on labelled samples.

        Parameters
        ----------
        X : see the class
            Training samples; or `Samples` or `RawSamples` with labels; or `SampleParts`, more than memory holds
            (`qmf.data.read_in_parts`), which are written to `run_dir` and read from there.
        y : array [N], optional
            Labels: integers, strings or booleans. Only left out where X has them.
        validation : (X, y), Samples, RawSamples or SampleParts, optional
            Held-out samples that choose the best epoch and calibrate, instead of a share of X.
        run_dir : str or Path, optional
            Where checkpoints and ``metrics.jsonl`` go, and samples that come in parts; without it, nothing is
            written.
        resume : bool, default False
            Go on from the checkpoint in `run_dir`, if there is one.

        Returns
        -------
        QMFClassifier
            Itself.

        Raises
        ------
        DataError
            If the data are not as described, fewer than two classes are there, or a validation label is unknown.
        ConfigError
            If a parameter is out of range.
        RunError
            If training fails.
        """
        self.problems_: list[Problem] = []
        self.preparation_: Preparation | None = None
        folder, seed = None if run_dir is None else Path(run_dir), self._seed()
        settings = self._settings(seed)
        given = self._stored(X, folder, "data") if isinstance(X, SampleParts) else self._given(X, y, fitting=True)
        samples = self._encoded(given, fitting=True)
        labels = self._labels(samples)
        self.classes_, target = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            only = self.classes_.tolist()[0]
            raise DataError(f"{samples.source}: only one class, {only!r}, in all labels; two are needed.")
        self.modalities_ = samples.modalities
        self.widths_ = {name: x.shape[1] for name, x in samples.features.items()}
        self.n_features_in_ = sum(self.widths_.values())
        kept, held_out = self._hold_out(replace(samples, labels=target), validation, seed, folder)
        training = self._augmented(kept, given, seed)
        self._ids = training.samples.ids, training.rows
        with seeded(seed, "initial weights"):
            self.model_ = self._build_model()
        for encoder, (name, width) in zip(self.model_.encoders, self.widths_.items(), strict=True):
            some = training.at_most(max(_NUMBERS // width, 1), seed, "standardise")
            encoder.standardise(some.vectors(name))
        objective = QMFObjective(
            len(training),
            len(self.modalities_),
            preset=self.preset,
            ranking_weight=self.ranking_weight,
            pairs=self.pairs,
            start_epoch=self.history_start_epoch,
            class_weights=self._class_weights(target),
            label_smoothing=self.label_smoothing,
            uncertainty=self.model_.uncertainty,
        )
        result = train(
            self.model_,
            objective,
            tensor_batches(training, self.modality_dropout),
            tensor_batches(held_out) if held_out is not None else None,
            settings,
            folder=folder,
            resume=resume,
            verbose=self.verbose,
        )
        usual = training.at_most(_TYPICAL, seed, "typicality").copied()
        inputs = {name: torch.from_numpy(x) for name, x in usual.features.items()}
        self.model_.fit_typicality(inputs, torch.from_numpy(usual.present))
        self.model_ = self.model_.cpu().eval()
        self._predictor = in_double(self.model_)
        calibrating = None if held_out is None else held_out.at_most(_CALIBRATING, seed, "calibration").copied()
        self.calibration_: PatternCalibration | None = self._calibration(calibrating, seed)
        self.history_: LossHistory | None = None if objective.history is None else objective.history.cpu()
        self.training_rows_, self.n_iter_ = result.rows, len(result.rows)
        return self

    @property
    def train_ids_(self) -> NDArray[np.str_]:
        """Ids of the samples trained on; see the class."""
        ids, rows = self._ids
        return ids[rows]

    def hardest_samples(self, modality: str, k: int = 20) -> list[tuple[str, float]]:
        """Give the training samples that stayed hardest in one modality: the first places to look for bad data.

        Parameters
        ----------
        modality : str
            Its name.
        k : int, default 20
            At most how many.

        Returns
        -------
        list of (sample id, mean loss)
            Hardest first.

        Raises
        ------
        ConfigError
            If there is no such modality, or no history was kept: by the preset "static", by the paper's presets with
            ``ranking_weight=0``, or in a model that was loaded.
        """
        check_is_fitted(self, "model_")
        if modality not in self.modalities_:
            raise ConfigError(f"modality={modality!r} does not exist; expected one of {', '.join(self.modalities_)}.")
        history = getattr(self, "history_", None)
        if history is None:
            raise ConfigError("no history was kept: it needs ranking_weight > 0 and is not saved in the model folder.")
        pairs = history.hardest(self.modalities_.index(modality), k)
        ids, rows = self._ids
        return [(str(ids[rows[i]]), loss) for i, loss in pairs]

    def restore(
        self,
        weights: dict[str, torch.Tensor],
        classes: NDArray[Any],
        widths: dict[str, int],
        fitted: dict[str, Any],
        preparation: Preparation | None,
        calibration: PatternCalibration | None = None,
    ) -> None:
        """Become the fitted classifier that a model folder describes.

        Parameters
        ----------
        weights : dict of str to Tensor
            ``state_dict`` of the model.
        classes : ndarray [K]
            Class labels, sorted.
        widths : dict of str to int
            Modalities in order, with their number of features.
        fitted : dict
            Other fitted attributes by name.
        preparation : Preparation or None
            Encoders, where the model was trained on raw samples.
        calibration : PatternCalibration or None
            Where it was calibrated.

        Raises
        ------
        RuntimeError
            If the weights do not fit the model.
        """
        self.classes_, self.widths_, self.modalities_ = classes, widths, tuple(widths)
        self.preparation_, self.calibration_, self.problems_ = preparation, calibration, []
        self.model_ = self._build_model()
        self.model_.load_state_dict(weights)
        self.model_.eval()
        self._predictor = in_double(self.model_)
        self.history_ = None
        for name, value in fitted.items():
            setattr(self, name, value)

    def _check_fitted(self) -> None:
        check_is_fitted(self, "model_")

    def _outputs(self, samples: Samples) -> FusionArrays:
        return run_model(self._predictor, samples).to_arrays()

    def _in_patterns(self, samples: Samples) -> Callable[[NDArray[np.bool_], NDArray[np.bool_]], FusionArrays]:
        asked = ask_in_patterns(self._predictor, samples)
        return lambda chosen, kept: asked(chosen, kept).to_arrays()

    def _labels(self, samples: Samples) -> NDArray[Any]:
        if samples.labels is None:
            raise DataError(f"{samples.source}: no labels; training needs y.")
        check_classification_targets(samples.labels)
        return samples.labels

    def _build_model(self) -> QualityAwareFusion:
        return build_model(
            self.widths_,
            len(self.classes_),
            preset=self.preset,
            uncertainty=self.uncertainty,
            weighting=self.weighting,
            hidden=self.hidden,
            dropout=self.dropout,
            backbones={} if self.preparation_ is None else self.preparation_.backbones(),
        )

    def _class_weights(self, target: NDArray[np.int64]) -> list[float] | None:
        if self.class_weight is None:
            return None
        given = self.class_weight if isinstance(self.class_weight, str) else dict(self.class_weight)
        try:
            weights = compute_class_weight(given, classes=self.classes_, y=self.classes_[target])
        except ValueError as error:
            raise ConfigError(f"class_weight: {error}") from error
        return [float(w) for w in weights]

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _settings(self, seed: int) -> TrainingSettings:
        names = set(TrainingSettings.__dataclass_fields__) - {"seed"}
        return TrainingSettings(**{name: getattr(self, name) for name in names}, seed=seed)
