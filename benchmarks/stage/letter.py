"""The mail that is sent: MJML with ten personal places, five tracked links, and as much text as asked for."""

from collections.abc import Iterator

from campaigns.templates.render import compile_source
from campaigns.values import BodyKind, Compiled, Source

#: Where the five tracked links lead.
LINKS = tuple(
    f"https://shop.example.com/{page}?from=letter" for page in ("new", "events", "care", "gifts", "us")
)
SUBJECT = "{{ contact.given_name|default('Hello') }}, your letter from {{ sender.name }}"
TEXT = (
    "Our workshop has been busy since the last letter, and there is much to tell about materials,"
    " about people, and about the small decisions that make a thing last for years."
)
#: Each stands in the mail once; with the subject's and the footer's address they are ten personal places.
PERSONAL = (
    "Hello {{ contact.given_name|default('friend') }} {{ contact.family_name|default('') }},",
    """people in {{ contact.city|default('your town') }}
{% if contact.country %}({{ contact.country }}){% endif %} asked us about this.""",
    """Your plan is {{ contact.attributes.plan|default('basic') }},
with {{ contact.attributes.points|default(0) }} points.""",
    """We look after {{ customer.name|default('you') }}.
{% if contact.attributes.score %}Your score is {{ contact.attributes.score }}.{% endif %}""",
    """{% for product in products[:3] %}New: {{ product.name }}
{% if product.price %}for {{ product.price|money }}{% endif %}. {% endfor %}""",
)


def write(size: int) -> tuple[Source, Compiled]:
    """Write the mail so that its compiled HTML has about `size` bytes."""
    best: tuple[Source, Compiled] | None = None
    for paragraphs in _guesses(size):
        source = _source(paragraphs)
        best = source, compile_source(source)
        short = size - len((best[1].html or "").encode())
        if short <= len(TEXT):
            break
    assert best is not None
    return best


def _guesses(size: int) -> Iterator[int]:
    """Give ever larger numbers of paragraphs, near the size from the start: compiling takes its time."""
    bare, more = (len((compile_source(_source(count)).html or "").encode()) for count in (0, 10))
    each = (more - bare) / 10
    yield from range(max(0, int((size - bare) / each)), 10_000)


def _source(paragraphs: int) -> Source:
    text = "\n\n".join([*PERSONAL, TEXT, "{{ links.unsubscribe }}", "{{ sender.postal_address }}"])
    return Source(BodyKind.MJML, SUBJECT, _mjml(paragraphs), "A letter, with your points inside.", text)


def _mjml(paragraphs: int) -> str:
    parts = [
        f'<mj-text>{line} <a href="{url}">Read more</a></mj-text>'
        for line, url in zip(PERSONAL, LINKS, strict=True)
    ]
    filler = [f"<mj-text>{number}. {TEXT}</mj-text>" for number in range(paragraphs)]
    half = len(filler) // 2
    body = "\n".join([*filler[:half], *parts, *filler[half:]])
    return f"""<mjml><mj-body width="600px"><mj-section><mj-column>
{body}
<mj-text>For {{{{ contact.email }}}} · {{{{ sender.postal_address }}}}
<a href="{{{{ links.unsubscribe }}}}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""
