"""An address is read in one way only."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.fetching.answers import Refused, Trouble
from campaigns.delivery.fetching.networks import why_inner
from campaigns.delivery.fetching.urls import follow, read_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://shop.example", "https://shop.example/"),
        ("HTTPS://Shop.Example./a?b=c#d", "https://shop.example/a?b=c"),
        ("http://shop.example:80/", "http://shop.example/"),
        ("http://shop.example:443/", "http://shop.example:443/"),
        ("https://bücher.example/ü ber?x=é", "https://xn--bcher-kva.example/%C3%BC%20ber?x=%C3%A9"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://shop.example/100%25", "https://shop.example/100%25"),
        ("https://9.9.9.9/x", "https://9.9.9.9/x"),
        ("https://[2606:4700::1]/x", "https://[2606:4700::1]/x"),
        ("https://[::ffff:9.9.9.9]/", "https://9.9.9.9/"),
        ("  https://shop.example/\n", "https://shop.example/"),
    ],
)
def test_it_is_taken_apart_and_put_together_in_its_plain_form(text, url):
    assert read_url(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.example",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example:70/",
        "javascript:alert(1)",
        "http://user@shop.example/",
        "http://user:secret@shop.example/",
        "http://shop.example@127.0.0.1/",
        "http://shop.example\\@127.0.0.1/",
        "http://shop.example:22/",
        "http://shop.example:8080/",
        "http://shop.example:99999/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://1.2.3.4../",
        "http://127%2e0%2e0%2e1/",
        "http://127.0.0.1%00.example/",
        "http://a..b/",
        "http://-/",
        "http://",
        "http:///x",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:7f00:1%lo]/",
        "http://shop.example/\r\nX: y",
        "http://shop\u200b.example/",
        "http://shop.example/\u202e",
        "http://" + "a" * 300 + ".example/",
        "http://shop.example/" + "a" * 5000,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text):
    with pytest.raises(Refused) as refused:
        read_url(text)
    assert refused.value.trouble is Trouble.NO_ADDRESS


@pytest.mark.parametrize(
    "host", ["１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.0.0.1."]
)
def test_an_inner_address_in_disguise_is_known_by_its_number(host):
    target = read_url(f"http://{host}/")
    assert target.literal is not None
    assert why_inner(target.literal)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b?c", "https://shop.example/b?c"),
        ("b", "https://shop.example/a/b"),
        ("//other.example/x", "https://other.example/x"),
        ("http://other.example", "http://other.example/"),
        ("", "https://shop.example/a/"),
    ],
)
def test_a_redirect_is_read_from_where_it_stands(location, url):
    assert follow(read_url("https://shop.example/a/"), location).url == url


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://user@x.example/", "http://[", "x" * 5000, "//2130706433/"]
)
def test_a_redirect_that_leads_nowhere_good_is_refused(location):
    with pytest.raises(Refused):
        follow(read_url("https://shop.example/"), location)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"http://{text}"))
def test_whatever_is_written_gives_a_clean_target_or_is_refused(text):
    try:
        target = read_url(text)
    except Refused:
        return
    assert target.scheme in {"http", "https"}
    assert target.port in {80, 443}
    assert target.url.isascii()
    assert not set(target.url) & set(" \r\n\t\\")
    assert "@" not in target.authority
    assert read_url(target.url).url == target.url
