"""The permission codes of the audit trail."""

from apps.common.permissions import declare

declare("audit.view", "Read the audit trail", roles=["admin", "operator"])
declare("audit.export", "Export the audit trail", roles=["admin"])
