"""Workers end with the process that started them, however that ends."""

import signal
import subprocess
import sys

import pytest

POOL = """
import time
from qmf.processes import process_pool
if __name__ == "__main__":
    with process_pool(2) as pool:
        print(sum(pool.map(abs, [-1, 2])), flush=True)
        pool.submit(time.sleep, 3600)
        time.sleep(3600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_of_a_process_that_was_killed_end_by_themselves(how, tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "3\n"
    process.send_signal(how)
    # The pipe is at its end once every process that holds it is: this one and its workers.
    rest, _ = process.communicate(timeout=60)
    assert rest == ""
    assert process.returncode == -how
