"""The samples whose modalities were trusted least, with what they look like: where people find their broken files."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from qmf.errors import DataError

__all__ = ["VALUES_FILE", "doubted_rows"]

VALUES_FILE = "test-values.json"
_MOST = 20
_SIDE = 96
_TEXT = 160


def doubted_rows(folder: Path, method: str, environment: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the clean test samples of the first seed in which one modality has the least weight beside the others.

    Parameters
    ----------
    folder : pathlib.Path
        Of the benchmark.
    method : str
        Whose weights.
    environment : dict
        Classes and modalities.

    Returns
    -------
    list of dict
        At most 20: id, modality, weight, others, label, prediction, wrong, picture (a data URI), text.
    """
    from safetensors.numpy import load_file

    found = sorted((folder / "cells" / method).glob("clean-*.safetensors"), key=lambda path: path.stem)
    ids_path = folder / "data" / VALUES_FILE
    if not found or len(environment["modalities"]) < 2:
        return []
    samples = load_file(found[0])
    values: dict[str, Any] = json.loads(ids_path.read_text(encoding="utf-8")) if ids_path.is_file() else {}
    w = samples["weights"].astype(np.float64)
    others = (w.sum(axis=1, keepdims=True) - w) / (w.shape[1] - 1)
    rows = []
    for flat in np.argsort(np.where(samples["present"], w - others, np.inf), axis=None)[:_MOST]:
        i, m = divmod(int(flat), w.shape[1])
        modality = environment["modalities"][m]
        label, prediction = (environment["classes"][int(samples[key][i])] for key in ("target", "predicted"))
        value = values.get("values", {}).get(modality, {}).get(str(i))
        picture, text = _shown(value)
        rows.append(
            {
                "id": values.get("ids", {}).get(str(i), f"test sample {i}"),
                "modality": modality,
                "weight": f"{w[i, m]:.2f}",
                "others": f"{others[i, m]:.2f}",
                "label": label,
                "prediction": prediction,
                "wrong": label != prediction,
                "picture": picture,
                "text": text,
            }
        )
    return rows


def _shown(value: Any) -> tuple[str, str]:
    """Give a data URI of a picture, or a text."""
    if not value:
        return "", ""
    if "text" in value:
        return "", str(value["text"])[:_TEXT]
    from qmf.encoders.pictures import opened

    try:
        with opened(Path(value["path"])) as picture:
            small = picture.convert("RGB")
            small.thumbnail((_SIDE, _SIDE))
            data = io.BytesIO()
            small.save(data, "JPEG", quality=70)
    except DataError:
        return "", Path(value["path"]).name
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode(), ""
