"""The sales desk's pages, put together: the app takes its blueprints from here."""

from web.sales import acts, finding, mail, record, work
from web.sales.desk import customers, tasks

__all__ = ["acts", "customers", "finding", "mail", "record", "tasks", "work"]
