"""What is written out once reads as if it were rendered for each: whatever stands beside it, or around it."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.templates.folding import Fixed, folded
from campaigns.templates.sandbox import sandbox

OFFERS = [
    {"name": "Becher <grün>", "price": Decimal("18.50"), "currency": "EUR", "url": "https://a.example/1?a&b"},
    {"name": "Tücher", "price": None, "currency": "EUR", "url": None},
    {"name": "板 {{ 7 }}", "price": Decimal(42), "currency": "EUR", "url": "https://a.example/3"},
]
LINKS = ["click/4", None, "click/5"]
KNOWN = {"sender": {"name": "Hafen & Rebe", "vat": None}, "campaign": {"name": "Mai"}, "products": OFFERS}
CLICKS = {
    "click": "https://t.example/c/x",
    "click/4": "https://t.example/c/x/4",
    "click/5": "https://t.example/c/x/5",
}
NUMBERED = [{**offer, "url": link and CLICKS[link]} for offer, link in zip(OFFERS, LINKS, strict=True)]

SHOWN = st.sampled_from(
    [
        "Hello <b>.\n",
        "{{ sender.name }}",
        "{{ sender.name|upper }} ",
        "{{ sender.vat|default('no number') }}",
        "{{ campaign.name ~ contact.city }}",
        "{{ contact.city|default('town') }}",
        "{{ products|length }}",
        "{{ products[0].name }}{{ products[0].url }}",
        "{{ (products|first).url }}",
        "{{ 'a' if sender.vat else 'b' }}",
        "{{ links.click }}/2",
    ]
)
OF_ONE = st.sampled_from(
    [
        *("{{ p.name }}: ", "{{ p.price|money }}", "{{ p.url }}", "{{ p['url']|upper }}", " | "),
        *(
            "{% if p.price %}{{ p.price|money }}{% else %}–{% endif %}",
            "{% if p.url %}<a href='{{ p.url }}'>{% endif %}",
        ),
        *("{{ loop.index }}", "{% if loop.last %}.{% endif %}", "{{ contact.city }}", "{{ sender.name }}"),
        *(
            "{% for q in [p] %}{{ q.url|default('-') }}{% endfor %}",
            "{% for q in products[:1] %}{{ q.url }}{{ p.name }}{% endfor %}",
        ),
    ]
)
LOOPED = st.sampled_from(
    [
        "products",
        "products[:2]",
        "products[1:]",
        "products[::2]",
        "products[:-1]",
        "contact.seen",
        "products if 1 else []",
    ]
)


def _loop(target: str, iterated: str, body: list[str]) -> str:
    inner = (
        "".join(body).replace("p.", f"{target}.").replace("p[", f"{target}[").replace("[p]", f"[{target}]")
    )
    return f"{{% for {target} in {iterated} %}}{inner}{{% endfor %}}"


LOOPS = st.builds(
    _loop, st.sampled_from(["p", "offer", "sender", "products"]), LOOPED, st.lists(OF_ONE, max_size=4)
)
CHOICES = st.builds(
    lambda asked, yes, other, no: (
        f"{{% if {asked} %}}{yes}{{% elif sender.vat %}}{other}{{% else %}}{no}{{% endif %}}"
    ),
    st.sampled_from(
        ["sender.name", "contact.city", "sender.name == contact.city", "not sender.vat", "products"]
    ),
    *[st.one_of(SHOWN, LOOPS)] * 3,
)
TEMPLATES = st.lists(st.one_of(SHOWN, LOOPS, CHOICES), max_size=6).map("".join)


@pytest.mark.parametrize("html", [True, False], ids=["html", "text"])
@pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "own-addresses"])
@given(template=TEMPLATES, city=st.sampled_from([None, "Köln", "<York>", "Hafen & Rebe"]), seen=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_folded_template_says_what_the_whole_one_says(template, city, seen, numbered, html):
    contact = {"city": city, "seen": OFFERS[:2] if seen else []}
    names = {**KNOWN, "contact": contact, "links": CLICKS, "products": NUMBERED if numbered else OFFERS}
    whole = _said(lambda: sandbox("de", html=html).from_string(template), names)
    fixed = Fixed(KNOWN, LINKS if numbered else ())
    assert _said(lambda: folded(template, "de", fixed, html=html).template, names) == whole


def _said(make, names):
    try:
        return str(make().render(names))
    except Exception as error:
        return type(error)


def test_what_is_the_same_for_all_is_no_longer_asked_for():
    each = "{{ p.name }} {% if p.url %}{{ p.url }}{% endif %} "
    text = f"{{% for p in products %}}{each}{{% endfor %}}{{{{ sender.name }}}}, {{{{ contact.city }}}}"
    done = folded(text, "en", Fixed(KNOWN, LINKS), html=False)
    assert done.used == {"links.click/4", "links.click/5", "contact.city"}


def test_a_loop_that_counts_its_rounds_stays_a_loop():
    text = "{% for p in products %}{{ loop.index }} {{ p.url }} {% endfor %}"
    assert "products" in folded(text, "en", Fixed(KNOWN, LINKS), html=False).used
