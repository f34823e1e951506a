"""The servers on which workspaces' databases live, and the ways to reach them."""

from apps.databases.services.servers.connections import (
    admin_dsn,
    child_environment,
    libpq_environment,
    open_as_login,
    open_server,
    require_program,
)

__all__ = ["admin_dsn", "child_environment", "libpq_environment", "open_as_login", "open_server", "require_program"]
