"""The permission codes of keys and service accounts."""

from apps.common.permissions import declare

declare("keys.manage", "Make, rotate and revoke API keys of one's own", roles=["admin", "developer", "operator"])
declare("service_accounts.manage", "Make service accounts and keys for them; revoke anyone's keys", roles=["admin"])
