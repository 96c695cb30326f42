"""``qmf info``."""

from __future__ import annotations

from typing import Any

from qmf.cli.model_data import JsonOption, ModelArgument
from qmf.cli.output import print_json, print_table

__all__ = ["info"]


def info(model_dir: ModelArgument, as_json: JsonOption = False) -> None:
    """Say what a model folder holds, after checking it against its manifest."""
    from qmf.model_folder import read_manifest, read_model

    manifest, contents = read_manifest(model_dir), read_model(model_dir)
    document: dict[str, Any] = {
        "model_dir": str(model_dir),
        "modalities": contents.preprocess["modalities"],
        "classes": contents.labels["classes"],
        "parameters": contents.config["parameters"],
        "calibrated_on": len(contents.calibration["correct"][0]) if contents.calibration else 0,
        "num_weights": sum(tensor.numel() for tensor in contents.weights.values()),
        "format_version": manifest["format_version"],
        "versions": manifest["versions"],
        "files": manifest["files"],
    }
    if as_json:
        print_json(document)
        return
    classes = document["classes"]
    rows = [
        ["modalities", ", ".join(f"{name} ({entry['width']})" for name, entry in document["modalities"].items())],
        ["classes", f"{len(classes)}: " + ", ".join(map(str, classes[:20])) + (", ..." if len(classes) > 20 else "")],
        ["preset", document["parameters"]["preset"]],
        ["epochs trained", str(contents.config["fitted"]["n_iter_"])],
        ["calibrated on", f"{document['calibrated_on']} samples"],
        ["numbers in the model", f"{document['num_weights']:,}"],
        ["written with", ", ".join(f"{name} {version}" for name, version in document["versions"].items())],
    ]
    print_table(f"{model_dir}: intact", ["", ""], rows)
