"""Every number of the platform, with its unit. docs/settings.md says why each is what it is; a test compares them."""

from datetime import timedelta

from config.env import env

# Operations
OPERATION_LEASE = timedelta(seconds=60)
OPERATION_HEARTBEAT = timedelta(seconds=15)
OPERATION_MAX_ATTEMPTS = 5
OPERATION_BACKOFF_BASE = timedelta(seconds=2)
OPERATION_BACKOFF_MAX = timedelta(minutes=10)
OPERATION_RUNNING_PER_WORKSPACE = env.int("OPERATION_RUNNING_PER_WORKSPACE", default=4)
STEP_TIME_LIMIT = timedelta(minutes=10)
STEP_MEMORY_LIMIT = 512 * 1024 * 1024
STEP_WATCH = timedelta(milliseconds=200)
STEP_END_GRACE = timedelta(seconds=5)
WORKER_STOP_GRACE = env.int("WORKER_STOP_GRACE", default=20)

# Workers: processes for each queue (config/settings/parts/celery.py)
WORKER_PROCESSES = env.int("WORKER_PROCESSES", default=2)
WORKER_PROCESSES_DATABASES = env.int("WORKER_PROCESSES_DATABASES", default=2)
WORKER_PROCESSES_BACKUPS = env.int("WORKER_PROCESSES_BACKUPS", default=1)
WORKER_TASKS_PER_CHILD = 1000
WORKER_MEMORY_PER_CHILD = 400 * 1024 * 1024

OPERATION_RETENTION = timedelta(days=90)

# Workspaces
SLOT_POOL_SIZE = env.int("SLOT_POOL_SIZE", default=8)
WORKSPACE_CLOSING_GRACE = timedelta(days=30)
SLUG_QUARANTINE = timedelta(days=90)
INVITATION_LIFETIME = timedelta(days=15)
WORKSPACES_PER_OWNER = env.int("WORKSPACES_PER_OWNER", default=100)

# Archives of workspaces
EXPORT_LIFETIME = timedelta(days=7)
IMPORT_LIFETIME = timedelta(days=2)
IMPORTS_PER_PERSON = 3
ARCHIVE_STEP_TIME_LIMIT = timedelta(hours=6)
ARCHIVE_MAX_BYTES = env.int("ARCHIVE_MAX_BYTES", default=1_073_741_824)
ARCHIVE_UNPACKED_MAX_BYTES = env.int("ARCHIVE_UNPACKED_MAX_BYTES", default=17_179_869_184)
ARCHIVE_MAX_ROWS = env.int("ARCHIVE_MAX_ROWS", default=50_000_000)

# Signing in
ACCESS_TOKEN_LIFETIME = timedelta(minutes=30)
REFRESH_TOKEN_LIFETIME = timedelta(days=7)
SESSIONS_PER_PERSON = 100
LAST_SEEN_INTERVAL = timedelta(minutes=1)
MFA_SETUP_LIFETIME = timedelta(minutes=15)

# Mail
MAIL_PER_ADDRESS = env.int("MAIL_PER_ADDRESS", default=10)
MAIL_BACKOFF_BASE = timedelta(minutes=1)
MAIL_GIVE_UP = timedelta(days=1)
MAIL_RETENTION = timedelta(days=30)

# Access
API_KEY_LAST_USED_INTERVAL = timedelta(minutes=1)
API_KEY_ROTATION_OVERLAP = timedelta(hours=24)
DECISION_RETENTION = timedelta(days=30)

# The API
IDEMPOTENCY_RETENTION = timedelta(hours=24)
IDEMPOTENCY_LEASE = timedelta(seconds=60)
PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
PREFER_WAIT_MAX = timedelta(seconds=30)
PREFER_WAIT_SEATS = env.int("PREFER_WAIT_SEATS", default=8)
BATCH_MAX_REQUESTS = 50

# Quotas and use
DIMENSIONS_KNOWN_FOR = timedelta(minutes=1)
PLANS_KNOWN_FOR = timedelta(minutes=1)
QUOTA_GRACE = timedelta(days=14)
RESERVATION_LIFETIME = timedelta(minutes=15)
RESERVATION_LIFETIME_MAX = timedelta(days=1)
OPERATION_HOLD_CHECK = timedelta(minutes=15)
USAGE_AMOUNT_MAX = 1_000_000_000_000
USAGE_HOURS_SHOWN = timedelta(days=1)
USAGE_HOURS_MAX = timedelta(days=31)
USAGE_DAYS_SHOWN = timedelta(days=30)
USAGE_DAYS_MAX = timedelta(days=366)
FORECAST_SHORTEST = timedelta(hours=6)
FORECAST_LOOKBACK = timedelta(days=7)
FORECAST_AHEAD = timedelta(days=30)
FORECAST_HORIZON = timedelta(days=366)
LEASE_LIFETIME = timedelta(seconds=30)
LEASE_BLOCK_MAX = 5_000
LEASE_SHARE = 8
LEASE_MARGIN = timedelta(seconds=10)
LEASE_AHEAD = timedelta(seconds=2)
LEASE_IDLE = timedelta(seconds=3)
LEASE_SWEEP = timedelta(minutes=5)
QUOTA_REFUSED_FOR = timedelta(seconds=1)

# Consoles
CONSOLE_VISIT_LIFETIME = timedelta(hours=1)

# Apps and their runs
DEFINITION_MAX_BYTES = 256 * 1024
PREVIEW_LIFETIME = timedelta(minutes=15)
RUN_INLINE_LIMIT = timedelta(seconds=5)
RUNTIME_REFRESH = timedelta(milliseconds=500)
RUNTIME_EVENT_FLUSH = timedelta(seconds=1)
#: Whether a thread of the web process writes events and shares rate limits; tests call it themselves.
RUNTIME_BACKGROUND = env.bool("RUNTIME_BACKGROUND", default=True)

# Restores of workspaces' databases
DATABASE_FENCE_MAX = timedelta(seconds=10)
DATABASE_KEPT_CONNECTIONS = 5
DATABASE_KEPT_FOR = timedelta(days=7)
DATABASE_LOAD_LIMIT = timedelta(hours=4)
DATABASE_RESTORE_JOBS = 2
DATABASE_RESTORE_LEFTOVERS = timedelta(hours=1)
DATABASE_RESTORE_MEMORY = 256 * 1024 * 1024

# Work that waits in workspaces, and what is forgotten
DUE_WORK_LEASE = timedelta(minutes=10)
DUE_WORK_BATCH = 500
DUE_WORK_BACKOFF_MAX = timedelta(minutes=60)
RETENTION_BATCH = 1000
RETENTION_RUN = timedelta(seconds=60)
AUDIT_RETENTION = timedelta(days=730)
EVENT_RETENTION = timedelta(days=30)
RUNTIME_EVENT_RETENTION = timedelta(days=90)
RUNTIME_SESSION_RETENTION = timedelta(days=30)

# What workspaces run in their databases
DATABASE_CONNECTIONS_KEPT = env.int("DATABASE_CONNECTIONS_KEPT", default=50)
DATABASE_CONNECTION_IDLE = timedelta(minutes=5)
DATABASE_QUERIES_AT_ONCE = env.int("DATABASE_QUERIES_AT_ONCE", default=4)
DATABASE_QUERY_TIME = timedelta(seconds=10)
DATABASE_QUERY_LENGTH = 64 * 1024
DATABASE_QUERY_ROWS = 1_000
DATABASE_QUERY_BYTES = 4 * 1024 * 1024
DATABASE_MIGRATIONS_AT_ONCE = 100
DATABASE_MIGRATION_BYTES = 512 * 1024
DATABASE_MIGRATION_TIME = timedelta(minutes=10)
DATABASE_MIGRATION_LOCK_WAIT = timedelta(seconds=10)
DATABASE_MIGRATION_LOCKS = 1_000
DATABASE_RELATIONS = 2_000
DATABASE_NEW_RESERVE = 16 * 1024 * 1024
DATABASE_MIGRATION_RESERVE = 8 * 1024 * 1024
DATABASE_RECORD_RETENTION = timedelta(days=90)
BACKUP_ABANDONED_AFTER = timedelta(minutes=15)
DATABASE_MEASURE_INTERVAL = timedelta(minutes=1)
DATABASE_WATCH_INTERVAL = timedelta(seconds=10)
DATABASE_WATCH_INSIST = timedelta(seconds=5)
DATABASE_STATEMENT_LIMIT = timedelta(minutes=2)
DATABASE_IDLE_TRANSACTION_LIMIT = timedelta(minutes=2)
DATABASE_TRANSACTION_LIMIT = timedelta(minutes=30)

# Watching
METRICS_TIMEOUT = timedelta(seconds=2)
CONSOLE_REFRESH = timedelta(seconds=2)
CONSOLE_REFRESH_IDLE = timedelta(seconds=30)

# Parts that are down
REDIS_PAUSE = timedelta(seconds=5)
SESSION_CACHE_LIFETIME = timedelta(minutes=5)

# Databases of workspaces
DATABASE_SERVER_CONNECT_TIMEOUT = timedelta(seconds=5)
DATABASE_ADMIN_TIMEOUT = timedelta(minutes=2)
DATABASE_LOGIN_CONNECTIONS = 20
DATABASE_STATEMENT_TIMEOUT = timedelta(seconds=30)
DATABASE_IDLE_TRANSACTION_TIMEOUT = timedelta(seconds=60)
DATABASE_TEMP_FILE_BYTES = 1024 * 1024 * 1024
DATABASE_DELETION_GRACE = timedelta(days=7)
DATABASE_ROTATION_OVERLAP = timedelta(seconds=60)
DATABASE_ROTATION_DRAIN = timedelta(minutes=15)
DATABASE_TEND_INTERVAL = timedelta(seconds=15)
DATABASE_SERVER_CHECK_INTERVAL = timedelta(seconds=60)
DATABASE_SERVER_EMBEDDED = env.bool("DATABASE_SERVER_EMBEDDED", default=True)
DATABASE_SERVER_PORT = env.int("DATABASE_SERVER_PORT", default=0)
DATABASE_ROTATION_DAYS_MAX = 365

# Backups of workspaces' databases
BACKUP_COMPRESSION_LEVEL = env.int("BACKUP_COMPRESSION_LEVEL", default=1)
BACKUP_LOCK_WAIT = timedelta(minutes=2)
BACKUP_TIME_LIMIT = timedelta(hours=6)
BACKUPS_DUE_BATCH = 500
BACKUP_KEEP_COUNT = 30
BACKUP_KEEP_DAYS = 30
BACKUP_PROVE_EVERY_DAYS = 7
BACKUP_EXPIRED_KEPT = timedelta(hours=1)
BACKUP_UNUSABLE_KEPT = timedelta(days=7)
BACKUP_KEPT_AFTER_DELETION = timedelta(days=30)
