"""What lower apps leave to whoever keeps secrets: kept API answers that bear one."""

from apps.common.api.idempotency import set_sealer
from apps.secrets.services import open_answer, seal_answer

set_sealer(seal_answer, open_answer)
