"""Where the networks of frozen encoders run."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

__all__ = ["placed", "predicting"]


def placed(device: str | None) -> torch.device:
    """Give the device of that name; of None, the CUDA device of this process if there is one, else the CPU.

    Parameters
    ----------
    device : str or None
        As torch names it: ``"cpu"``, ``"cuda:1"``.

    Examples
    --------
    >>> placed("cpu")
    device(type='cpu')
    """
    import torch

    if device is None and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    return torch.device(device or "cpu")


@contextmanager
def predicting() -> Iterator[None]:
    """Compute without gradients and, on an accelerator too, in float32 throughout.

    By default cuDNN rounds what convolutions multiply to 10 bits: the features of a picture would differ between the
    machine that trained and the one that answers.
    """
    import torch

    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield
