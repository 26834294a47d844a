"""In which language a text is, as far as its commonest words tell."""

import re
from collections.abc import Mapping

#: The commonest words of each language; those that another one has too are of no use and left out below.
_COMMON = {
    "en": """the and of to you your for with this that are is it we our was not have
        from will can be or if more""",
    "de": """der die das und ist nicht sie wir ihr ihre mit für auf von den dem ein eine einen zu sich auch
        aus bei nach wenn oder uns unser unsere ihnen haben werden mehr noch sind""",
    "fr": """le la les des et est vous nous votre vos nos pour dans avec sur une un pas que qui au aux
        ce cette sont plus notre être avez""",
    "es": """el los las y es para con por una un su sus que más nos nuestro nuestra este esta como pero
        son usted tiene del al""",
    "it": """il lo gli e è per con una un di che non più nostro nostra sono questo questa vi ci della delle
        dei nel alla dal""",
    "nl": """de het een en van je jouw u uw wij ons onze voor met niet zijn is dat dit op
        naar bij meer ook aan""",
    "pt": "o os as e é para com por uma um seu sua que mais nosso nossa não este esta são você do da dos das",
    "pl": "i w na z się nie jest do że to dla oraz lub przez być są nasz nasza twój od po jak",
    "sv": "och att det som är en ett för på med av inte vi du din vår till om har kan eller från mer",
}
WORD = re.compile(r"[^\W\d_]+")
#: An address of the web, as plain text has it.
ADDRESS = re.compile(r"\(?(?:https?://|www\.)\S+")
_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in _COMMON.items()
}
LEAST = 8  #: words of which something can be told
LEAST_KNOWN = 3


def language_of(text: str) -> str | None:
    """Name a text's language; None where it is short, or speaks for none or for several."""
    words = [word.casefold() for word in WORD.findall(text[:20_000])]
    if len(words) < LEAST:
        return None
    counts = sorted(
        ((sum(word in known for word in words), language) for language, known in _WORDS.items()), reverse=True
    )
    (most, language), (second, _) = counts[:2]
    return language if most >= LEAST_KNOWN and most >= len(words) / 12 and most >= 2 * second else None
