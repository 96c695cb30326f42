"""Sounds to features: statistics of the log-mel spectrogram, or any frozen transformers audio model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmf.encoders.graph_inputs import Waves
from qmf.encoders.placement import placed, predicting
from qmf.encoders.sounds import AudioReader
from qmf.encoders.text_weights import file_hashes
from qmf.encoders.transformers_files import copy_model, model_folder, quiet_loading
from qmf.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from qmf.encoders.tuned import Tune

__all__ = ["AudioFeatures", "LogMelFeatures"]

_VERSION = 1  # raise when reading, spectrogram or statistics change any feature
_BATCH = 32
_MODEL_BATCH = 8


class LogMelFeatures:
    """Mean, standard deviation and mean absolute change over time of each mel band; needs no download.

    Parameters
    ----------
    sample_rate : int
        Sounds are resampled to it.
    seconds : float
        Length that is looked at; shorter sounds are followed by silence.
    bands : int
        Mel bands, at least 1.

    Attributes
    ----------
    kind : str
        ``"audio"``.
    out_features : int
        3 times `bands`.
    fingerprint : str
        Names the method, its version and options.
    reader : AudioReader
        From a file to what `forward` takes; can be pickled.

    Raises
    ------
    ConfigError
        If a parameter is out of the range of `AudioReader`, or `bands` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> LogMelFeatures(seconds=0.5).encode([(np.zeros(8000), 16000)]).shape
    (1, 192)
    """

    kind = "audio"

    def __init__(self, *, sample_rate: int = 16_000, seconds: float = 4.0, bands: int = 64) -> None:
        if bands < 1:
            raise ConfigError(f"bands is {bands}, must be at least 1")
        self.reader = AudioReader(sample_rate, seconds)
        self.bands = bands
        self.out_features = 3 * bands
        self.fingerprint = f"log-mel-{_VERSION}-{bands}-{self.reader!r}"

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, 3 bands] of n sounds; see `AudioReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give features [n, 3 bands] of n waveforms."""
        import numpy as np
        import torch

        if not len(prepared):
            return np.zeros((0, self.out_features), dtype=np.float32)
        network, parts = self.network(), []
        with torch.inference_mode():
            for start in range(0, len(prepared), _BATCH):
                parts.append(network(torch.from_numpy(np.stack(prepared[start : start + _BATCH]))).numpy())
        return np.concatenate(parts)

    def graph_input(self) -> Waves:
        """Give what stands before `network`."""
        return Waves(self.reader)

    def network(self) -> nn.Module:
        """Give the module from waveforms to what `encode` gives."""
        from qmf.encoders.log_mel import LogMelStatistics

        return LogMelStatistics(self.reader.sample_rate, self.bands)

    def save(self, folder: Path) -> None:
        """Write nothing: there are no files, the options say it all."""


class AudioFeatures:
    """Features of any transformers audio model: the mean of its last hidden states over time.

    Parameters
    ----------
    model : str or pathlib.Path
        A folder, or a name on the Hugging Face hub (only what is here if ``QMF_OFFLINE`` is set).
    seconds : float
        Length that is looked at, as in `LogMelFeatures`.
    tune : {"frozen", "last-block", "full"}
        What is trained with the model; where not "frozen", features are what the model takes, held in memory.
    device : str, optional
        Where the model runs; by default on the CUDA device if there is one, else on the CPU.

    Attributes
    ----------
    kind, out_features, fingerprint, reader
        As in `LogMelFeatures`; the sample rate is the model's.

    Raises
    ------
    ConfigError
        If the model is not there or is no audio model in safetensors, or an option is none.
    MissingDependencyError
        If transformers is not installed.
    """

    kind = "audio"

    def __init__(
        self, model: str | Path, *, seconds: float = 4.0, tune: Tune = "frozen", device: str | None = None
    ) -> None:
        if tune not in ("frozen", "last-block", "full"):
            raise ConfigError(f"tune={tune!r}: expected frozen, last-block or full.")
        self.tune, self.cached = tune, tune == "frozen"
        self._folder, config, preprocessing = model_folder(model)
        if not isinstance(config.get("hidden_size"), int):
            raise ConfigError(f"{self._folder}: config.json has no hidden_size: not an audio model that is known.")
        self.device, self._width = device, config["hidden_size"]
        self.reader = AudioReader(int(preprocessing.get("sampling_rate", 16_000)), seconds)
        parts = [_VERSION, file_hashes(self._folder), repr(self.reader), *([] if self.cached else [tune])]
        self.fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self._loaded: tuple[Any, Any] | None = None  # the weights load at the first use
        self.out_features = self._width if self.cached else prod(self._input()[1])

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, D] of n sounds; see `AudioReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give features [n, D] of n waveforms; where tuned, what the model takes, flattened.

        Raises
        ------
        ConfigError
            If the model cannot be loaded, or cannot take sounds of this length or any sound alone.
        DataError
            If its features are not as wide as its ``config.json`` says.
        """
        import numpy as np

        if not len(prepared):
            return np.zeros((0, self.out_features), dtype=np.float32)
        if not self.cached:
            return np.concatenate([self._extracted([wave])[1].flatten(1).numpy() for wave in prepared])
        with predicting():
            starts = range(0, len(prepared), _MODEL_BATCH)
            features = np.concatenate([self._pooled(prepared[start : start + _MODEL_BATCH]) for start in starts])
        if features.shape[1] != self.out_features:
            raise DataError(f"{self._folder}: {features.shape[1]} features, its config.json says {self.out_features}")
        return features

    def save(self, folder: Path) -> None:
        """Copy the model's files into `folder`, from which ``AudioFeatures(folder, ...)`` gives the same features."""
        copy_model(self._folder, folder)

    def backbone(self) -> nn.Module | None:
        """Give the network that is trained with the model; None where it is frozen."""
        import copy

        from qmf.encoders.transformers_tuning import RowsBackbone

        if self.cached:
            return None
        argument, shape = self._input()
        network = copy.deepcopy(self._load()[1]).cpu()
        return RowsBackbone(network, argument, shape, self._width, last_only=self.tune == "last-block")

    def graph_input(self) -> Waves:
        """Give what stands before `network`."""
        return Waves(self.reader)

    def network(self) -> nn.Module:
        """Give the module from waveforms to what `encode` gives, for export.

        Raises
        ------
        ConfigError
            If what transformers does before the model is more than scaling waveforms.
        """
        from qmf.encoders.graph_networks import WaveNetwork

        extractor, network = self._load()
        if type(extractor).__name__ != "Wav2Vec2FeatureExtractor":
            raise ConfigError(
                f"its feature extractor {type(extractor).__name__} is code of transformers that no graph holds; a model"
                " whose extractor is a Wav2Vec2FeatureExtractor can be exported"
            )
        return WaveNetwork(network if self.cached else None, normalise=bool(extractor.do_normalize))

    def _input(self) -> tuple[str, tuple[int, ...]]:
        """Give the name and shape of what the model takes: all waveforms are of one length, so it is always this."""
        import numpy as np

        silence = np.zeros(round(self.reader.sample_rate * self.reader.seconds), dtype=np.float32)
        name, x = self._extracted([silence])
        return name, tuple(x.shape[1:])

    def _extracted(self, waves: Sequence[NDArray[np.float32]]) -> tuple[str, Tensor]:
        extractor, _ = self._load()
        inputs = extractor(list(waves), sampling_rate=self.reader.sample_rate, return_tensors="pt", padding=True)
        name = next(iter(inputs))
        return name, inputs[name].float()

    def _pooled(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give the mean hidden state over time of a few waveforms of one length."""
        import torch

        try:
            name, x = self._extracted(prepared)
            hidden = self._load()[1](**{name: x.to(placed(self.device))}).last_hidden_state
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"Audio model {self._folder} gives no last_hidden_state of sounds of {self.reader.seconds} s: {error}"
            ) from error
        features: NDArray[np.float32] = hidden.mean(dim=1).float().cpu().numpy()
        return features

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from safetensors import SafetensorError
            from transformers import AutoFeatureExtractor, AutoModel

            try:
                with quiet_loading():
                    extractor = AutoFeatureExtractor.from_pretrained(self._folder, local_files_only=True)
                    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": "float32"}
                    network = AutoModel.from_pretrained(self._folder, **options)
            except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
                raise ConfigError(f"Audio model {self._folder} cannot be loaded: {error}") from error
            self._loaded = extractor, network.to(placed(self.device)).eval().requires_grad_(False)
        return self._loaded
