"""What the quality loop gives to the process tables: terms and effects, registered by being imported."""

from collections.abc import Mapping

import workflow.quality.effects
import workflow.quality.terms  # noqa: F401
from workflow.engine.definition import Definition
from workflow.engine.registry import load_all


def load_processes() -> Mapping[str, Definition]:
    """Every process in force, proved. Raises DefinitionError naming file, row and the known names."""
    return load_all().current
