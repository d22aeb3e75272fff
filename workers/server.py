"""The web part as a process: gunicorn with threads. Its workers look for their master and leave when it is gone."""

from __future__ import annotations

import sys

from workflow.settings import get_settings

APPLICATION = "web.app:create_app()"
THREADS = 8


def command(host: str, port: int) -> list[str]:
    """The command that serves the application on that address."""
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": str(get_settings().web_workers),
        "worker-class": "gthread",
        "threads": str(THREADS),
        "timeout": "60",
        "graceful-timeout": "8",
        "keep-alive": "5",
        "log-level": "warning",
        "limit-request-line": "8190",
        "no-control-socket": None,
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value) if part is not None]
    return [sys.executable, "-m", "gunicorn", *flags, APPLICATION]
