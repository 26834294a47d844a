"""The providers: one file each, and one row here."""

from campaigns.delivery.providers import (
    brevo,
    direct,
    generic,
    mailgun,
    mailjet,
    postmark,
    resend,
    sendgrid,
    ses,
    smtp,
)
from campaigns.delivery.providers.provider import Option, Provider, Ways, read_options

__all__ = ["PROVIDERS", "Option", "Provider", "Ways", "read_options"]

PROVIDERS: dict[str, Provider] = {
    row.name: row
    for row in (
        smtp.PROVIDER,
        smtp.CATCHER,
        direct.PROVIDER,
        ses.PROVIDER,
        sendgrid.PROVIDER,
        mailgun.PROVIDER,
        postmark.PROVIDER,
        mailjet.PROVIDER,
        brevo.PROVIDER,
        resend.PROVIDER,
        generic.PROVIDER,
    )
}
