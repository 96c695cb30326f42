"""The command line: ``qmf``. Every command imports what it needs when it runs; ``qmf --help`` needs no torch.

Exit status: 0 done, 1 the run failed, 2 wrong usage or configuration, 3 wrong data, 130 interrupted from the keyboard,
143 stopped by SIGTERM with a checkpoint saved.
"""

from __future__ import annotations

import sys
import warnings

import typer

from qmf.cli.benchmark import benchmark
from qmf.cli.cache import cache
from qmf.cli.certify import certify
from qmf.cli.corrupt import corrupt
from qmf.cli.demo import demo
from qmf.cli.doctor import doctor
from qmf.cli.evaluate import evaluate
from qmf.cli.export import export
from qmf.cli.fit import fit, schema
from qmf.cli.info import info
from qmf.cli.init import init
from qmf.cli.predict import predict
from qmf.cli.report import report
from qmf.cli.validate import validate
from qmf.errors import QMFError

__all__ = ["app", "main"]

app = typer.Typer(
    name="qmf",
    help="Quality-aware multimodal fusion: a classifier that trusts each modality per sample.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    demo,
    init,
    validate,
    fit,
    evaluate,
    certify,
    predict,
    export,
    benchmark,
    report,
    corrupt,
    info,
    cache,
    doctor,
    schema,
):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from qmf import __version__

        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line and turn errors and warnings into messages and exit codes."""
    warnings.formatwarning = _as_message
    try:
        app()
    except QMFError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _as_message(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Give a warning to users of the command as one line, without where in the code it was raised."""
    if issubclass(category, UserWarning):
        return f"warning: {message}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"
