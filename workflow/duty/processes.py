"""What the security duty gives to the process tables: guards and effects, registered by being imported."""

import workflow.duty.checking
import workflow.duty.incidents  # noqa: F401
