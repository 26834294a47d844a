"""What an account says so that its provider's webhooks are believed."""

from campaigns.delivery.providers.provider import Option, a_word
from campaigns.delivery.webhooks import FIT, SECRET
from campaigns.delivery.webhooks.proofs import KEY, PASSWORD, USER
from campaigns.delivery.webhooks.sns import TOPICS

RELAYED_BY = "webhooks"
CALLING = ("ses", "sendgrid", "mailgun", "postmark", "mailjet", "brevo", "resend")


def hook_options(*own: Option) -> tuple[Option, ...]:
    """A provider's own options for its webhooks, with those that all have."""
    return (
        *own,
        Option(
            SECRET,
            "the secret part of the webhook's address; without it one is made",
            secret=True,
            check=_a_secret,
        ),
        Option(USER, "a user that the webhook must name, as user:password@ in its address", check=a_word),
        Option(PASSWORD, "and the password", secret=True, check=a_word),
    )


def signing_key(means: str) -> Option:
    """What calls are signed with, or checked by."""
    return Option(KEY, f"{means}; two with a blank between while one takes the other's place", secret=True)


def topics() -> Option:
    """Which topics of SNS may call."""
    return Option(TOPICS, "the ARNs of the SNS topics that SES publishes to, with blanks between")


def relay_options() -> tuple[Option, ...]:
    """What an SMTP account says whose server is a provider's, so that its webhooks are heard."""
    whose = Option(
        RELAYED_BY, "the provider whose relay it is, if its webhooks are to be heard", check=_a_provider
    )
    return hook_options(whose, signing_key("what those webhooks are signed with"), topics())


def _a_provider(value: str) -> str:
    return "" if value in CALLING else f"is none of {', '.join(CALLING)}."


def _a_secret(value: str) -> str:
    return "" if FIT.fullmatch(value) else "has not 20 to 100 letters, digits, - or _."
