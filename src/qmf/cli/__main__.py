"""``python -m qmf.cli``."""

from __future__ import annotations

from qmf.cli import main

if __name__ == "__main__":
    main()
