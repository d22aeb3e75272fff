"""What casework gives to the process tables: guards, effects and the names of the roles, registered by being imported."""

import workflow.casework.approval_guards
import workflow.casework.approving
import workflow.casework.dictionary_changing
import workflow.casework.explanation
import workflow.casework.filing_effects
import workflow.casework.filing_guards
import workflow.casework.filing_notices
import workflow.casework.four_eyes
import workflow.casework.granting
import workflow.casework.letters
import workflow.casework.listing
import workflow.casework.matters
import workflow.casework.reminding
import workflow.casework.reporting
import workflow.casework.rule_changing
import workflow.casework.signing
import workflow.casework.standing_guards
import workflow.casework.substituting
import workflow.casework.suspending
import workflow.casework.telling
import workflow.casework.transferring
import workflow.casework.violations
import workflow.casework.voiding
import workflow.casework.weekly_audit  # noqa: F401
from workflow.access.roles import roles as defined
from workflow.engine import registry

registry.roles({name: role.title for name, role in defined().items()})
