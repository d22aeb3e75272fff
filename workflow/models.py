"""Every declared table, imported once: for create_all, migrations and the proof that migrated equals declared."""

import importlib
from pathlib import Path

import workflow.registry.tables  # noqa: F401

for _path in sorted(Path(__file__).parent.glob("*/*models.py")):
    importlib.import_module(f"workflow.{_path.parent.name}.{_path.stem}")
