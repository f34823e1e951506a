"""What accounts declare: their types of event, their sealed fields."""

from apps.accounts.services.mfa import visit_sealed
from apps.events.services import declare_event
from apps.secrets.services import declare_sealed_field

declare_event("user.registered", "Somebody has an account now, however it was made.")
declare_event("user.email_verified", "A person proved that an e-mail address is theirs.")
declare_event("user.erased", "A person's data was erased; their id remains.")

declare_sealed_field("accounts.OutgoingMail", "sealed")
declare_sealed_field("mfa.Authenticator", "data", visit=visit_sealed)
