"""What accounts declare: their types of event."""

from apps.events.services import declare_event

declare_event("user.registered", "Somebody has an account now, however it was made.")
declare_event("user.email_verified", "A person proved that an e-mail address is theirs.")
declare_event("user.erased", "A person's data was erased; their id remains.")
