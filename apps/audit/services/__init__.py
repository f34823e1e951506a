from apps.audit.services.recording import Target, mask_secrets, record_act, record_act_in

__all__ = ["Target", "mask_secrets", "record_act", "record_act_in"]
