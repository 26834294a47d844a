"""The templates room: a mail source with Jinja becomes what one recipient reads."""
