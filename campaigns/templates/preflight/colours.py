"""Colours: how they are written, how well one is read on another, and what dark mail programs make of them.

Source: WCAG 2.2, relative luminance and contrast ratio; CSS Color 4 for the notations and names.
"""

import colorsys
import re
from typing import NamedTuple

_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\Z")
_CALL = re.compile(r"(rgb|hsl)a?\(([^()]*)\)\Z")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:%|deg)?")
_NAMES = """
aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc bisque
ffe4c4 black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a burlywood deb887
cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue 6495ed cornsilk fff8dc
crimson dc143c cyan 00ffff darkblue 00008b darkcyan 008b8b darkgoldenrod b8860b darkgray a9a9a9 darkgreen
006400 darkgrey a9a9a9 darkkhaki bdb76b darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00
darkorchid 9932cc darkred 8b0000 darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b darkslategray
2f4f4f darkslategrey 2f4f4f darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff
dimgray 696969 dimgrey 696969 dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0 forestgreen 228b22
fuchsia ff00ff gainsboro dcdcdc ghostwhite f8f8ff gold ffd700 goldenrod daa520 gray 808080 green 008000
greenyellow adff2f grey 808080 honeydew f0fff0 hotpink ff69b4 indianred cd5c5c indigo 4b0082 ivory fffff0
khaki f0e68c lavender e6e6fa lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6
lightcoral f08080 lightcyan e0ffff lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90
lightgrey d3d3d3 lightpink ffb6c1 lightsalmon ffa07a lightseagreen 20b2aa lightskyblue 87cefa
lightslategray 778899 lightslategrey 778899 lightsteelblue b0c4de lightyellow ffffe0 lime 00ff00
limegreen 32cd32 linen faf0e6 magenta ff00ff maroon 800000 mediumaquamarine 66cdaa mediumblue 0000cd
mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371 mediumslateblue 7b68ee mediumspringgreen
00fa9a mediumturquoise 48d1cc mediumvioletred c71585 midnightblue 191970 mintcream f5fffa mistyrose
ffe4e1 moccasin ffe4b5 navajowhite ffdead navy 000080 oldlace fdf5e6 olive 808000 olivedrab 6b8e23 orange
ffa500 orangered ff4500 orchid da70d6 palegoldenrod eee8aa palegreen 98fb98 paleturquoise afeeee
palevioletred db7093 papayawhip ffefd5 peachpuff ffdab9 peru cd853f pink ffc0cb plum dda0dd powderblue
b0e0e6 purple 800080 rebeccapurple 663399 red ff0000 rosybrown bc8f8f royalblue 4169e1 saddlebrown 8b4513
salmon fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna a0522d silver c0c0c0 skyblue
87ceeb slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa springgreen 00ff7f steelblue 4682b4
tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 violet ee82ee wheat f5deb3 white
ffffff whitesmoke f5f5f5 yellow ffff00 yellowgreen 9acd32
"""
_WORDS = _NAMES.split()
NAMED = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))


class Colour(NamedTuple):
    """Red, green and blue from 0 to 255, and how much of it covers what is below."""

    red: float
    green: float
    blue: float
    cover: float = 1.0

    def __str__(self) -> str:
        return f"#{round(self.red):02x}{round(self.green):02x}{round(self.blue):02x}"


WHITE, BLACK, LINK = Colour(255, 255, 255), Colour(0, 0, 0), Colour(0, 0, 238)


def read_colour(text: str) -> Colour | None:
    """Read a colour; None for what is none, or depends on what is around it."""
    word = text.strip().lower()
    if word == "transparent":
        return Colour(0, 0, 0, 0.0)
    if word in NAMED:
        return _from_hex(NAMED[word])
    if found := _HEX.match(word):
        return _from_hex(found[1])
    if found := _CALL.match(word):
        return _from_call(found[1], found[2])
    return None


def _from_hex(digits: str) -> Colour:
    if len(digits) < 6:
        digits = "".join(digit * 2 for digit in digits)
    parts = [int(digits[at : at + 2], 16) for at in range(0, len(digits), 2)]
    return Colour(parts[0], parts[1], parts[2], parts[3] / 255 if len(parts) > 3 else 1.0)


def _from_call(kind: str, inside: str) -> Colour | None:
    parts = _NUMBER.findall(inside)
    if len(parts) not in {3, 4}:
        return None
    cover = min(1.0, max(0.0, _share(parts[3], 1.0))) if len(parts) == 4 else 1.0
    if kind == "rgb":
        red, green, blue = (min(255.0, max(0.0, _share(part, 255.0))) for part in parts[:3])
        return Colour(red, green, blue, cover)
    hue = float(parts[0].removesuffix("deg").removesuffix("%")) % 360 / 360
    light, full = (min(1.0, max(0.0, float(part.rstrip("%deg")) / 100)) for part in (parts[2], parts[1]))
    red, green, blue = colorsys.hls_to_rgb(hue, light, full)
    return Colour(red * 255, green * 255, blue * 255, cover)


def _share(text: str, whole: float) -> float:
    return float(text[:-1]) / 100 * whole if text.endswith("%") else float(text.removesuffix("deg"))


def over(top: Colour, below: Colour) -> Colour:
    """What is seen where one colour lies over another."""
    mixed = (one * top.cover + other * (1 - top.cover) for one, other in zip(top[:3], below[:3], strict=True))
    return Colour(*mixed)


def luminance(colour: Colour) -> float:
    """How bright a colour is, from 0 to 1."""
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (part / 255 for part in colour[:3])
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: Colour, other: Colour) -> float:
    """How well one is read on the other, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def inverted(colour: Colour) -> Colour:
    """What a program that makes a mail dark by itself does to a colour: its lightness turns, its hue stays.

    Outlook and Gmail keep the exact rule to themselves; this comes near to what is seen.
    """
    hue, light, full = colorsys.rgb_to_hls(*(part / 255 for part in colour[:3]))
    red, green, blue = colorsys.hls_to_rgb(hue, 1 - light, full)
    return Colour(red * 255, green * 255, blue * 255, colour.cover)
