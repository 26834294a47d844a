"""What a User-Agent says of who asked: the table behind the verdicts.

Image proxies of mail providers are people, or their prefetch; so a general list of robots would turn the
truth about opens upside down. Agents are matched by what they contain, in lower case, from top to bottom.
"""

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple


class Kind(Enum):
    """What sort of program asks."""

    EMPTY = "empty"  #: says nothing
    PREFETCH = "prefetch"  #: a mail proxy that fetches images nobody has looked at yet
    IMAGE_PROXY = "image proxy"  #: a mail proxy that fetches an image when a person sees the mail
    SCANNER = "scanner"  #: a security gateway, robot, preview or script
    MAIL_PROGRAM = "mail program"  #: shows images to a person; does not follow links by itself
    BROWSER = "browser"  #: a person's, or a scanner that looks like one
    OTHER = "other"  #: not in this table


class Agent(NamedTuple):
    """What the table says of one User-Agent, in words of ours (the text itself is hostile)."""

    kind: Kind
    name: str


#: Sent by Apple's Mail Privacy Protection, whole.
_APPLE_PREFETCH = "mozilla/5.0"
#: Both parts together are Gmail's prefetch, or its own check of a mail being sent; no such browser exists.
_GMAIL_PREFETCH = ("chrome/42.0.2311.135", "edge/12.246")

_IMAGE_PROXIES = {
    "googleimageproxy": "Google's image proxy",
    "yahoomailproxy": "Yahoo's image proxy",
}
#: Programs that check, crawl, preview or script; each name is a reason shown to people.
_SCANNERS = {
    # mail and web security
    "barracuda": "Barracuda",
    "symantec": "Symantec",
    "messagelabs": "Symantec",
    "proofpoint": "Proofpoint",
    "urldefense": "Proofpoint",
    "mimecast": "Mimecast",
    "ironport": "Cisco",
    "fortinet": "Fortinet",
    "fortiguard": "Fortinet",
    "forcepoint": "Forcepoint",
    "trendmicro": "Trend Micro",
    "sophos": "Sophos",
    "zscaler": "Zscaler",
    "cisco": "Cisco",
    "checkpoint": "Check Point",
    "avanan": "Check Point",
    "paloalto": "Palo Alto Networks",
    "bitdefender": "Bitdefender",
    "kaspersky": "Kaspersky",
    "eset ": "ESET",
    "mcafee": "McAfee",
    "trellix": "Trellix",
    "fireeye": "Trellix",
    "bluecoat": "Symantec",
    "trustwave": "Trustwave",
    "cloudmark": "Cloudmark",
    "vadesecure": "Vade",
    "hornetsecurity": "Hornetsecurity",
    "retarus": "Retarus",
    "spamhaus": "Spamhaus",
    "virustotal": "VirusTotal",
    "urlscan": "urlscan.io",
    "netcraft": "Netcraft",
    "phishtank": "PhishTank",
    "google-safety": "Google's safety check",
    "safelinks": "Microsoft Safe Links",
    "office existence discovery": "Office's link check",
    "office protocol discovery": "Office's link check",
    "ms-office-link": "Office's link check",
    # previews in chats and on the web
    "microsoftpreview": "Microsoft's preview",
    "skypeuripreview": "Skype's preview",
    "embedly": "Embedly's preview",
    "iframely": "Iframely's preview",
    "pinterest/": "Pinterest's preview",
    "snapchat url": "Snapchat's preview",
    "vkshare": "VK's preview",
    "viber url": "Viber's preview",
    "mastodon/": "Mastodon's preview",
    "signal-preview": "Signal's preview",
    "google-inspectiontool": "a Google robot",
    "googleother": "a Google robot",
    "mediapartners-google": "a Google robot",
    "feedfetcher": "a Google robot",
    "apis-google": "a Google robot",
    "duplexweb-google": "a Google robot",
    "storebot-google": "a Google robot",
    "ia_archiver": "an archive",
    "archive.org": "an archive",
    "w3c_validator": "a checker of pages",
    "w3c-checklink": "a checker of links",
    "lighthouse": "a checker of pages",
    "pagespeed": "a checker of pages",
    "gtmetrix": "a checker of pages",
    "pingdom": "a watcher of sites",
    "statuscake": "a watcher of sites",
    "site24x7": "a watcher of sites",
    "newrelicpinger": "a watcher of sites",
    # programs and libraries
    "bingpreview": "Bing's preview",
    "slack-imgproxy": "Slack's preview",
    "facebookexternalhit": "Facebook's preview",
    "whatsapp/": "WhatsApp's preview",
    "google-read-aloud": "Google's reader",
    "headlesschrome": "a browser without a screen",
    "phantomjs": "a browser without a screen",
    "puppeteer": "a browser without a screen",
    "playwright": "a browser without a screen",
    "selenium": "a browser without a screen",
    "python": "a Python script",
    "aiohttp": "a Python script",
    "httpx": "a Python script",
    "scrapy": "a Python script",
    "curl/": "curl",
    "wget": "wget",
    "libcurl": "curl",
    "pycurl": "curl",
    "go-http-client": "a Go program",
    "go-resty": "a Go program",
    "fasthttp": "a Go program",
    "reqwest": "a Rust program",
    "hyper/": "a Rust program",
    "ruby": "a Ruby script",
    "faraday": "a Ruby script",
    "mechanize": "a script",
    "php/": "a PHP script",
    "jakarta": "a Java program",
    "nutch": "a crawler",
    "httrack": "a copier of sites",
    "jsoup": "a Java program",
    "dart:io": "a Dart program",
    "dotnet": "a .NET program",
    "restsharp": "a .NET program",
    "insomnia/": "a programmer's tool",
    "httpie": "a programmer's tool",
    "got (": "a Node script",
    "superagent": "a Node script",
    "splash": "a browser without a screen",
    "cypress": "a browser without a screen",
    "zgrab": "a scanner of the net",
    "masscan": "a scanner of the net",
    "nmap": "a scanner of the net",
    "censys": "a scanner of the net",
    "nikto": "a scanner of the net",
    "sqlmap": "a scanner of the net",
    "nuclei": "a scanner of the net",
    "expanse": "a scanner of the net",
    "apache-httpclient": "a Java program",
    "java/": "a Java program",
    "libwww-perl": "a Perl script",
    "lwp::": "a Perl script",
    "node-fetch": "a Node script",
    "axios/": "a Node script",
    "undici": "a Node script",
    "guzzlehttp": "a PHP script",
    "winhttp": "a Windows program",
    "powershell": "a script",
    "postmanruntime": "Postman",
}
#: Names that robots give themselves. CUBOT makes telephones.
_ROBOT = re.compile(r"(?<!cu)bot(?![a-z])|crawl|spider|slurp|scanner|scanning|link-?check|urlcheck|monitor")
_MAIL_PROGRAMS = {
    "ms-office": "Outlook",
    "msoffice": "Outlook",
    "microsoft outlook": "Outlook",
    "outlook-ios": "Outlook",
    "outlook-android": "Outlook",
    "thunderbird/": "Thunderbird",
    "cfnetwork/": "an Apple program",
    "dalvik/": "an Android program",
    "okhttp/": "an Android program",
    "lotus-notes": "Notes",
    "airmail": "Airmail",
    "electron/": "a mail program",
    "emclient": "eM Client",
    "the bat!": "The Bat!",
    "evolution/": "Evolution",
    "kmail": "KMail",
    "geary": "Geary",
    "mailspring": "Mailspring",
    "spark/": "Spark",
    "sparrow/": "Sparrow",
    "k-9": "K-9 Mail",
    "fairemail": "FairEmail",
    "bluemail": "BlueMail",
    "postbox/": "Postbox",
}
_BROWSER = re.compile(
    r"mozilla/5\.0 \([^)]{3,}\).*(?:applewebkit/|gecko/|gecko\)|trident/)"
    r"|mozilla/5\.0 \([^)]*trident/"
    r"|opera/9"
)
#: Longer agents than this are cut before they are matched: nobody honest sends them.
_LONGEST = 512


@lru_cache(maxsize=4096)
def recognise(text: str) -> Agent:
    """Look an agent up."""
    agent = text[:_LONGEST].strip().lower()
    if not agent:
        return Agent(Kind.EMPTY, "no agent")
    if agent == _APPLE_PREFETCH:
        return Agent(Kind.PREFETCH, "Apple Mail prefetch (agent is exactly Mozilla/5.0)")
    if all(part in agent for part in _GMAIL_PREFETCH):
        return Agent(Kind.PREFETCH, "Gmail prefetch (agent is Chrome 42 with Edge 12.246)")
    for kind, table in _TABLES:
        for part, name in table.items():
            if part in agent:
                return Agent(kind, name)
    if _ROBOT.search(agent):
        return Agent(Kind.SCANNER, "a robot, by its own name")
    return (
        Agent(Kind.BROWSER, "a browser") if _BROWSER.match(agent) else Agent(Kind.OTHER, "an unknown program")
    )


_TABLES = (
    (Kind.IMAGE_PROXY, _IMAGE_PROXIES),
    (Kind.SCANNER, _SCANNERS),
    (Kind.MAIL_PROGRAM, _MAIL_PROGRAMS),
)
