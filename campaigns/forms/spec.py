"""What a sign-up form offers, asks and says: the one reader and writer of `forms.spec`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from campaigns.errors import BadForm
from campaigns.values import Problem

#: What may be asked besides the address; an attribute of the installation is "attributes.KEY".
FIELDS = ("given_name", "family_name", "country")
ATTRIBUTE = "attributes."
ASKABLE = frozenset({"text", "number", "boolean", "date"})  #: types of attributes that a form can ask for
MOST_FIELDS = 12
MOST_TOPICS = 12
MOST_ORIGINS = 20
LONGEST = {"title": 120, "intro": 1000, "wording": 2000, "button": 60, "thanks": 1000}
NEEDED = ("title", "wording", "button")
VERSION = 1


@dataclass(frozen=True, slots=True)
class Words:
    """What a form says in one language."""

    title: str
    wording: str  #: what people agree to: the beginning of a sentence that each topic ends
    button: str
    intro: str = ""
    thanks: str = ""  #: after the confirmation


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that a form asks besides the address."""

    key: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """All of a form that a marketer decides, but for its sender and template."""

    topics: tuple[int, ...]
    words: Mapping[str, Words]  #: by language; the first one where none fits
    fields: tuple[Asked, ...] = ()
    after: str = ""  #: where to go after the confirmation; empty: a page of ours
    origins: tuple[str, ...] = ()  #: sites that may ask by script, as "https://www.shop.example"
    refuse_disposable: bool = False

    def said(self, language: str) -> tuple[str, Words]:
        """What it says in a language, with the language that it came out as."""
        for wanted in (language, language.partition("-")[0]):
            if wanted in self.words:
                return wanted, self.words[wanted]
        return next(iter(self.words.items()))


def read_spec(data: Mapping[str, Any]) -> Spec:
    """Read what the store holds."""
    return Spec(
        topics=tuple(data["topics"]),
        words={language: Words(**words) for language, words in data["words"].items()},
        fields=tuple(Asked(**one) for one in data["fields"]),
        after=data["after"],
        origins=tuple(data["origins"]),
        refuse_disposable=data["refuse_disposable"],
    )


def write_spec(spec: Spec) -> dict[str, Any]:
    """Write what the store holds."""
    return {
        "version": VERSION,
        "topics": list(spec.topics),
        "words": {
            language: {name: getattr(words, name) for name in LONGEST}
            for language, words in spec.words.items()
        },
        "fields": [{"key": one.key, "required": one.required} for one in spec.fields],
        "after": spec.after,
        "origins": list(spec.origins),
        "refuse_disposable": spec.refuse_disposable,
    }


def require_spec(spec: Spec, *, topics: Sequence[int], attributes: Mapping[str, str]) -> None:
    """Check a form before it is kept; `topics` can be offered, `attributes` are defined, by key their type.

    Raises:
        BadForm: with everything that does not hold.
    """
    problems = [
        *_topics(spec, topics),
        *_words(spec),
        *_fields(spec, attributes),
        *_after(spec.after),
        *_origins(spec.origins),
    ]
    if problems:
        raise BadForm(problems)


def _topics(spec: Spec, offered: Sequence[int]) -> list[Problem]:
    if not spec.topics:
        return [Problem("topics", "are missing.", "Choose what people can sign up for.")]
    if len(spec.topics) > MOST_TOPICS or len(set(spec.topics)) != len(spec.topics):
        return [Problem("topics", "are too many, or one is named twice.", f"Choose at most {MOST_TOPICS}.")]
    if not set(spec.topics) <= set(offered):
        return [Problem("topics", "are not all there to be signed up for.", "Choose among those shown.")]
    return []


def _words(spec: Spec) -> list[Problem]:
    if not spec.words:
        return [Problem("words", "are missing.", "Write the form in at least one language.")]
    problems = []
    for language, words in spec.words.items():
        for name, longest in LONGEST.items():
            text = getattr(words, name)
            where = f"{name}_{language}"
            if name in NEEDED and not text.strip():
                problems.append(
                    Problem(where, "is missing.", "Write it, or empty all texts of this language.")
                )
            elif len(text) > longest:
                problems.append(Problem(where, f"is longer than {longest} characters.", "Say it in fewer."))
    return problems


def _fields(spec: Spec, attributes: Mapping[str, str]) -> list[Problem]:
    keys = [one.key for one in spec.fields]
    if len(keys) > MOST_FIELDS or len(set(keys)) != len(keys):
        return [Problem("fields", "are too many, or one is named twice.", f"Ask for at most {MOST_FIELDS}.")]
    unknown = [
        key
        for key in keys
        if key not in FIELDS and attributes.get(key.removeprefix(ATTRIBUTE), "") not in ASKABLE
    ]
    return [Problem("fields", f"cannot be asked by a form: {', '.join(unknown)}.")] if unknown else []


def _after(after: str) -> list[Problem]:
    if not after or is_web_address(after):
        return []
    return [
        Problem("after", "is no https:// address.", "Write all of it, or leave it empty for our own page.")
    ]


def is_web_address(text: str) -> bool:
    """Tell whether browsers may be sent there: https, a host, no user name, nothing unprintable."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text or len(text) > 1000:
        return False
    try:
        parts = urlsplit(text)
        return (
            parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        return False


def _origins(origins: Sequence[str]) -> list[Problem]:
    bad = [one for one in origins if origin_of(one) != one]
    if bad or len(origins) > MOST_ORIGINS:
        cure = f"Write https:// and the host, no path, one a line, at most {MOST_ORIGINS}."
        return [Problem("origins", f"do not hold: {', '.join(bad)}." if bad else "are too many.", cure)]
    return []


def origin_of(address: str) -> str:
    """Give the origin of a web address as browsers write it; empty if it has none that may ask."""
    try:
        parts = urlsplit(address)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    near = host in {"localhost", "127.0.0.1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and near):
        return ""
    plain = host.isascii() and host.replace("-", "").replace(".", "").isalnum() and "@" not in parts.netloc
    return f"{parts.scheme}://{host}{port}" if plain else ""
