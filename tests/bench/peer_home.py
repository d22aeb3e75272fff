"""Where the peers live: an environment of their own, never the lock file. SANDENG_BENCH_PEERS names a folder to keep them in between runs."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path


def peer_interpreter(subject: str, packages: Sequence[str], folder: Path) -> Path | None:
    """The interpreter of an environment with these packages below the kept folder or else `folder`; None where they cannot be installed."""
    made = Path(os.environ.get("SANDENG_BENCH_PEERS", folder / "peers")) / subject
    interpreter = made / "bin" / "python"
    if not interpreter.exists():
        venv.create(made, with_pip=True)
        command = [str(interpreter), "-m", "pip", "install", "--quiet", *packages]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            interpreter.unlink()
            print(f"对照未能安装，略去：{'、'.join(packages)}", file=sys.stderr)
            return None
    return interpreter
