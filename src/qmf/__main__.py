"""``python -m qmf`` is the command ``qmf``."""

from qmf.cli import main

main()
