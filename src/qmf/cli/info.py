"""``qmf info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qmf.cli.model_data import JsonOption, ModelArgument
from qmf.cli.output import print_json, print_table

__all__ = ["info"]


def info(model_dir: ModelArgument, as_json: JsonOption = False) -> None:
    """Say what a model folder holds, after checking it against its manifest; or what an exported ONNX file takes."""
    if model_dir.suffix == ".onnx":
        _info_of_file(model_dir, as_json=as_json)
        return
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
    rows = [
        ["modalities", ", ".join(f"{name} ({entry['width']})" for name, entry in document["modalities"].items())],
        ["classes", _listed(document["classes"])],
        ["preset", document["parameters"]["preset"]],
        ["epochs trained", str(contents.config["fitted"]["n_iter_"])],
        ["calibrated on", f"{document['calibrated_on']} samples"],
        ["numbers in the model", f"{document['num_weights']:,}"],
        ["written with", ", ".join(f"{name} {version}" for name, version in document["versions"].items())],
    ]
    print_table(f"{model_dir}: intact", ["", ""], rows)


def _info_of_file(path: Path, *, as_json: bool) -> None:
    from qmf.export.onnx_classifier import OnnxClassifier

    classifier = OnnxClassifier(path)
    session, calibration = classifier.model_, classifier.calibration_
    document: dict[str, Any] = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "modalities": {name: given.kind for name, given in classifier.signature_.inputs.items()},
        "classes": classifier.classes_.tolist(),
        "calibrated_on": 0 if calibration is None else len(calibration.correct[0]),
        "inputs": {node.name: {"type": node.type, "shape": node.shape} for node in session.get_inputs()},
        "outputs": {node.name: {"type": node.type, "shape": node.shape} for node in session.get_outputs()},
    }
    if as_json:
        print_json(document)
        return
    rows = [
        ["size", f"{document['bytes'] / 1e6:.2f} MB"],
        ["modalities", ", ".join(f"{name} ({kind})" for name, kind in document["modalities"].items())],
        ["classes", _listed(document["classes"])],
        ["calibrated on", f"{document['calibrated_on']} samples"],
        *([f"input {name}", _typed(node)] for name, node in document["inputs"].items()),
        *([f"output {name}", _typed(node)] for name, node in document["outputs"].items()),
    ]
    print_table(f"{path}: exported by qmf", ["", ""], rows)


def _listed(classes: list[Any]) -> str:
    return f"{len(classes)}: " + ", ".join(map(str, classes[:20])) + (", ..." if len(classes) > 20 else "")


def _typed(node: dict[str, Any]) -> str:
    return f"{node['type'].removeprefix('tensor(').removesuffix(')')}, {' x '.join(map(str, node['shape']))}"
