"""Mails to start from, each in English and German, good enough to send as they are."""

import tomllib
from functools import cache
from importlib import resources

from campaigns.errors import NotFound
from campaigns.values import BodyKind, Source

NAMES = ("newsletter", "product-offer", "survey-invitation", "follow-up", "letter", "confirmation")
LANGUAGES = ("en", "de")


@cache
def load(name: str, language: str = "en") -> Source:
    """Read a starter; its head and footer are put in, so that the source stands by itself.

    Raises:
        NotFound: if there is no such starter, or none in this language.
    """
    front, body = _parts(name, language)
    body = body.replace("@head@\n", _file("head.mjml"))
    body = body.replace("@footer@\n", _file(f"footer.{language}.mjml").replace("@why@", front["why"]))
    return Source(BodyKind.MJML, front["subject"], body, preheader=front["preheader"], language=language)


@cache
def title(name: str, language: str = "en") -> str:
    """Give a starter's name as a person reads it.

    Raises:
        NotFound: if there is no such starter, or none in this language.
    """
    return _parts(name, language)[0]["title"]


def _parts(name: str, language: str) -> tuple[dict[str, str], str]:
    if name not in NAMES or language not in LANGUAGES:
        known = f"{', '.join(NAMES)} in {', '.join(LANGUAGES)}"
        raise NotFound(f"There is no starter {name!r} in {language!r}; known are {known}.")
    _, front, body = _file(f"{name}.{language}.mjml").split("+++\n", 2)
    return tomllib.loads(front), body


def _file(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text("utf-8")
