"""Names and places of the demo's customers, in the scripts that real lists come in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """Where some of the customers live."""

    weight: int  #: of a hundred customers, about so many
    locale: str
    country: str
    time_zone: str
    cities: tuple[str, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]
    mail_domains: tuple[str, ...]
    phone: str = ""  #: what a mobile number starts with; eight digits follow; empty: we know no phones here
    phone_digits: int = 8


REGIONS = (
    Region(
        28, "de-DE", "DE", "Europe/Berlin",
        ("Berlin", "Köln", "München", "Görlitz", "Düsseldorf", "Hamburg"),
        ("Jürgen", "Käthe", "Björn", "Anna", "Leonie", "Göran", "Ümit", "Zoë", "Günther", "Lieselotte"),
        ("Müller", "Weiß", "Größmann", "Schröder", "von der Heide", "Yıldız", "Öztürk", "Jäger", "Straßburger"),
        ("post.example", "kasten.example", "firma-müller.example", "gmail.example"),
        "+4915", 9,
    ),
    Region(
        18, "en-GB", "GB", "Europe/London",
        ("London", "Bristol", "Leeds", "Stoke-on-Trent", "Aberystwyth"),
        ("Eleanor", "Siobhán", "Oliver", "Priya", "D’Arcy", "Grace", "Angharad"),
        ("O'Brien", "Smith-Jones", "Okafor", "MacLeod", "Patel", "St. John", "D'Souza"),
        ("mail.example", "outlook.example", "gmail.example"),
        "+4474", 8,
    ),
    Region(
        20, "en-US", "US", "America/New_York",
        ("New York", "Boston", "Chicago", "Winston-Salem", "St. Louis"),
        ("Maria", "Tyrone", "Jean-Luc", "Beyoncé", "John", "Mei", "Xochitl"),
        ("Nguyễn", "Smith", "García", "O’Neill", "Kowalski", "Washington", "Łukasiewicz"),
        ("yahoo.example", "gmail.example", "icloud.example", "corp.example"),
    ),
    Region(
        7, "el-GR", "GR", "Europe/Athens",
        ("Αθήνα", "Θεσσαλονίκη", "Πάτρα"),
        ("Ελένη", "Γιώργος", "Σοφία", "Νίκος"),
        ("Παπαδοπούλου", "Οικονόμου", "Αγγελόπουλος"),
        ("taxydromeio.example", "παράδειγμα.example", "gmail.example"),
        "+3069", 8,
    ),
    Region(
        7, "ar-EG", "EG", "Africa/Cairo",
        ("القاهرة", "الإسكندرية", "أسوان"),
        ("فاطمة", "محمد", "ليلى", "يوسف"),
        ("الحسن", "عبد الرحمن", "النجار"),
        ("barid.example", "gmail.example"),
        "+2010", 8,
    ),
    Region(
        8, "zh-CN", "CN", "Asia/Shanghai",
        ("上海", "北京", "成都"),
        ("小龍", "慧敏", "偉", "雅婷"),
        ("李", "王", "歐陽", "陳"),
        ("youjian.example", "qq.example"),
        "+86138", 8,
    ),
    Region(
        8, "fr-FR", "FR", "Europe/Paris",
        ("Paris", "Besançon", "Saint-Étienne"),
        ("François", "Éloïse", "Zoé", "Jean-Baptiste"),
        ("Lefèvre", "d’Estaing", "Noël", "Le Goff"),
        ("courrier.example", "gmail.example"),
        "+336", 8,
    ),
    Region(
        4, "ja-JP", "JP", "Asia/Tokyo",
        ("東京", "大阪"),
        ("さくら", "健太", "ゆい"),
        ("鈴木", "佐藤", "渡辺"),
        ("yubin.example",),
    ),
)  # fmt: skip

#: Names that break things; each is somebody in the demo.
DIFFICULT = (
    ("Sunny 🌻", "Maier"),
    (
        "Hubert Blaine",
        "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafewarenwohl",
    ),
    ("Robert'); DROP TABLE contacts;--", "Tables"),
    ("<script>alert(1)</script>", "Browser"),
    ("=cmd|' /C calc'!A0", "Sheet"),
    ("{{ 7 * 7 }}", "Template"),
    ("Null", "None"),
    ("\u202eesreveR", "Bidi"),
)
