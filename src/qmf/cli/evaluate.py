"""``qmf evaluate``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qmf.cli.corrupt import CorruptOption
from qmf.cli.model_data import (
    AbsentOption,
    DataArgument,
    JsonOption,
    ModelArgument,
    RiskOption,
    damaged_samples,
    labelled_samples,
    load_classifier,
)
from qmf.cli.output import print_json, print_table, say

__all__ = ["evaluate"]


def evaluate(
    model_dir: ModelArgument,
    data: DataArgument,
    absent: AbsentOption = None,
    apply: CorruptOption = None,
    seed: Annotated[int, typer.Option(help="Key of the corruptions.")] = 0,
    all_patterns: Annotated[
        bool, typer.Option("--all-patterns", help="Also with every combination of modalities absent.")
    ] = False,
    risk: RiskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the predictions of a model, or an exported ONNX file, with the labels of DATA, as it is or damaged."""
    from qmf.pattern_evaluation import evaluate_classifier, evaluate_patterns

    classifier = load_classifier(model_dir)
    given = damaged_samples(classifier, labelled_samples(classifier, model_dir, data, absent or []), apply or [], seed)
    if all_patterns or model_dir.suffix != ".onnx":
        samples = classifier.prepare(given)
        result = evaluate_classifier(classifier, samples, risk=risk)
        if all_patterns:
            result["patterns"] = evaluate_patterns(classifier, samples, risk=risk)
    else:  # pictures are large as an exported file takes them: it reads some at a time
        result = evaluate_classifier(classifier, given, risk=risk)
    if as_json:
        print_json(result)
    else:
        _print_result(result)


def _print_result(result: dict[str, Any]) -> None:
    patterns = {f"only {name}": scores for name, scores in result.get("patterns", {}).items()}
    rows = [["fused", *_shown(result), str(result["num_samples"]), "", ""]]
    for name, scores in result["per_modality"].items():
        weight, r = result["weights_mean"][name], result["weight_loss_correlation"][name]
        rows.append([name, *_shown(scores), str(scores["present"]), f"{weight:.3f}", f"{r:+.3f}"])
    rows += [[name, *_shown(scores), str(scores["num_samples"]), "", ""] for name, scores in patterns.items()]
    columns = ["", "accuracy", "nll", "ece", "samples", "mean weight", "r(weight, loss)"]
    print_table("evaluation; r(weight, loss) should be negative: trusted less where it errs more", columns, rows)
    if "sets" in result:
        columns = ["", "LAC", "classes", "empty", "APS", "classes", "empty"]
        rows = [[name, *_shown_sets(scores)] for name, scores in {"as they are": result, **patterns}.items()]
        print_table("sets made to hold the true class in 90 % of cases: how many do", columns, rows)
    withheld = ", ".join(f"{count} ({reason})" for reason, count in result["withheld"].items()) or "none"
    say(f"answers withheld: {withheld}; accuracy of the others: {result['accuracy_answered']:.4f}")


def _shown(scores: dict[str, Any]) -> list[str]:
    return [f"{scores[key]:.4f}" for key in ("accuracy", "nll", "ece")]


def _shown_sets(scores: dict[str, Any]) -> list[str]:
    of_methods = (scores["sets"][method] for method in ("lac", "aps"))
    return [f"{sets[key]:.3f}" for sets in of_methods for key in ("coverage", "mean_size", "empty")]
