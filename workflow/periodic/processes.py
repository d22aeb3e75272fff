"""What the periodic work gives to the process tables: guards and effects, registered by being imported."""

import workflow.periodic.correcting
import workflow.periodic.cross_check
import workflow.periodic.locking
import workflow.periodic.monthly  # noqa: F401
