"""What a process does about its limits."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import resource
from seamless_wallet.processes import http_service
http_service.OPEN_FILES = 350
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(http_service.connections_max() + http_service.SPARE_FILES, resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "raised"), [(300, 340, 340), (340, 340, 340), (300, 400, 350), (400, 400, 400)]
)
def test_a_process_takes_as_many_files_as_it_may(soft, hard, raised):
    """A shell's limit is often 1024, far below the hard one; it asks for no more than it needs, and lowers nothing."""
    code = CODE.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{raised} ({raised}, {hard})\n"
