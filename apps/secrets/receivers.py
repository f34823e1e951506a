"""What lower apps leave to whoever keeps secrets: kept API answers that bear one."""

from django.db.models import Q

from apps.common.api.idempotency import set_sealer
from apps.secrets.services import declare_sealed_field, open_answer, seal_answer
from apps.secrets.services.answers import visit_answer

set_sealer(seal_answer, open_answer)
declare_sealed_field("common.IdempotencyRecord", "body", where=Q(sealed=True), visit=visit_answer)
