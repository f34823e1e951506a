"""The database backend: django-tenants', with the search path folded into the statement that needs it."""
