"""Agents by what they are: programs that fetch for people are none of those that check, preview and crawl."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.tracking.agents import Kind, recognise

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
KNOWN = {
    Kind.EMPTY: ["", "   "],
    Kind.PREFETCH: [
        "Mozilla/5.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
    ],
    Kind.IMAGE_PROXY: [
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    ],
    Kind.MAIL_PROGRAM: [
        "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.3.0",
        "Outlook-iOS/709.2189947.prod.iphone (3.24.0)",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Superhuman/1 Chrome/120 Electron/28.1 Safari/537.36",
    ],
    Kind.SCANNER: [
        "BarracudaSentinel (EE)", "SymantecWebRequest", "Mozilla/5.0 (compatible; proofpoint)", "Mimecast URL checker",
        "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0 Safari/537.36",
        "Microsoft Office Existence Discovery", "Microsoft Office Protocol Discovery",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "facebookexternalhit/1.1", "WhatsApp/2.23.20.0",
        "TelegramBot (like TwitterBot)", "LinkedInBot/1.0", "Discordbot/2.0", "Applebot/0.1", "ZoomInfoBot",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Google-Safety", "Mozilla/5.0 (compatible; AhrefsBot/7.0)",
        "python-requests/2.32", "curl/8.5.0", "Wget/1.21", "Go-http-client/2.0", "Java/17.0.1", "libwww-perl/6.7", "okhttp-scanner/1.0",
        "node-fetch", "axios/1.6", "GuzzleHttp/7", "PostmanRuntime/7.36", "Embedly/0.2", "ia_archiver", "Ruby", "Mozilla/5.0 zgrab/0.x",
    ],
    Kind.BROWSER: [
        CHROME, CHROME + " Edg/142.0.0.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
        "Mozilla/5.0 (Linux; Android 14; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Mozilla/5.0 (Linux; Android 10; SM-G960F) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0 Mobile Safari/537.36",
    ],
    Kind.OTHER: ["Mozilla/4.0", "Xyz/1", "<script>alert(1)</script>"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "agent"), [(kind, agent) for kind, agents in KNOWN.items() for agent in agents]
)
def test_an_agent_is_what_it_is(kind, agent) -> None:
    assert recognise(agent).kind is kind


@given(st.text(max_size=600))
@settings(max_examples=200, deadline=None)
def test_whatever_an_agent_calls_itself_it_is_named_in_words_of_ours(text) -> None:
    assert recognise(text).name.isascii()
    assert "<" not in recognise(text).name
