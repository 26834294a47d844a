"""Which mailbox provider stands behind a domain: what limits, answers and figures go by.

Known here are the domains that providers give their own mailboxes. A company's domain hosted by one of them
is `other` until its MX record is asked.
"""

OTHER = "other"  #: the lane of every domain that is not named here

_WORDS = {
    "google": "gmail.com googlemail.com google.com",
    "microsoft": """
        outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.at outlook.be outlook.dk outlook.ie
        outlook.pt outlook.cz outlook.hu outlook.sa outlook.jp outlook.kr outlook.in outlook.com.ar
        outlook.com.au outlook.com.br outlook.co.id outlook.co.th
        hotmail.com hotmail.de hotmail.fr hotmail.es hotmail.it hotmail.be hotmail.ch hotmail.nl hotmail.se
        hotmail.no hotmail.dk hotmail.fi hotmail.gr hotmail.ca hotmail.cl hotmail.co.uk hotmail.co.jp
        hotmail.co.th hotmail.com.ar hotmail.com.br hotmail.com.tr
        live.com live.de live.fr live.it live.be live.nl live.at live.ca live.se live.no live.dk live.cn
        live.co.uk live.com.ar live.com.au live.com.mx live.com.pt live.co.za
        msn.com passport.com windowslive.com
    """,
    "yahoo": """
        yahoo.com yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca yahoo.se yahoo.no yahoo.dk yahoo.fi yahoo.gr
        yahoo.ie yahoo.pl yahoo.ro yahoo.in yahoo.co.uk yahoo.co.id yahoo.co.in yahoo.co.nz yahoo.co.th
        yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.hk yahoo.com.mx yahoo.com.ph
        yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn
        ymail.com rocketmail.com myyahoo.com aol.com aol.de aol.fr aol.it aol.co.uk aim.com netscape.net
        verizon.net
    """,
    "yahoo japan": "yahoo.co.jp ymail.ne.jp",
    "apple": "icloud.com me.com mac.com privaterelay.appleid.com",
    "gmx": "gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.eu gmx.org gmx.info gmx.fr gmx.us gmx.co.uk web.de",
    "telekom": "t-online.de magenta.de",
    "comcast": "comcast.net",
    "orange": "orange.fr wanadoo.fr",
    "free": "free.fr",
    "la poste": "laposte.net",
    "sfr": "sfr.fr neuf.fr cegetel.net",
    "libero": "libero.it virgilio.it iol.it inwind.it",
    "kpn": "kpnmail.nl planet.nl hetnet.nl",
    "proton": "proton.me protonmail.com protonmail.ch pm.me",
    "mail.ru": "mail.ru bk.ru inbox.ru list.ru internet.ru",
    "yandex": "yandex.ru yandex.com yandex.by yandex.kz ya.ru",
    "seznam": "seznam.cz email.cz",
    "wp": "wp.pl o2.pl",
    "onet": "onet.pl op.pl vp.pl poczta.onet.pl",
    "qq": "qq.com foxmail.com",
    "netease": "163.com 126.com yeah.net",
    "naver": "naver.com",
}
#: Every known domain with its lane.
LANES = {domain: lane for lane, domains in _WORDS.items() for domain in domains.split()}


def lane_of(domain: str) -> str:
    """Name the provider of a normalised domain, or `other`."""
    return LANES.get(domain, OTHER)
