"""What all sorts of pictures have in common: limits, and a reader of bytes that stops at their end."""

ACROSS = 8_000  #: pixels of a side
AREA = 25_000_000  #: pixels of a picture: 100 MB in a reader's memory
MOVING = 10 * AREA  #: pixels of all pictures of an animation
_SMALLER = "Make it smaller: 1200 pixels across are enough."


class Broken(Exception):
    """What is wrong with a picture, in words that follow its name."""

    def __init__(self, what: str, cure: str = "Save it anew as PNG, JPEG or GIF.") -> None:
        super().__init__(what)
        self.cure = cure


def require_fit(width: int, height: int) -> None:
    """Refuse a picture without pixels, or with too many.

    Raises:
        Broken: saying which.
    """
    if not width or not height:
        raise Broken("has no pixels")
    if max(width, height) > ACROSS or width * height > AREA:
        raise Broken(f"is too large: {width} × {height} pixels", _SMALLER)


def require_short(pixels: int) -> None:
    """Refuse an animation of too many pixels in all.

    Raises:
        Broken: it is one.
    """
    if pixels > MOVING:
        raise Broken("moves for too long", "Shorten it, or make it smaller.")


def is_profile(data: bytes) -> bool:
    """Whether it is a colour profile, of the length that it says itself.

    Source: ICC.1:2022, 7.2.
    """
    return len(data) >= 128 and data[36:40] == b"acsp" and int.from_bytes(data[:4], "big") == len(data)


class Reader:
    """Bytes from a place onwards."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self.at = data, at

    def take(self, count: int) -> bytes:
        """So many bytes.

        Raises:
            Broken: there are not so many.
        """
        found = self._data[self.at : self.at + count]
        if len(found) < count:
            raise Broken("is cut off")
        self.at += count
        return found

    def number(self, count: int, order: str = "big") -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(count), "little" if order == "little" else "big")

    def peek(self) -> int | None:
        """The byte that comes next; None at the end."""
        return self._data[self.at] if self.at < len(self._data) else None

    def find(self, byte: bytes) -> int:
        """Where a byte comes next.

        Raises:
            Broken: it does not.
        """
        found = self._data.find(byte, self.at)
        if found < 0:
            raise Broken("is cut off")
        return found

    def since(self, place: int) -> bytes:
        """What was read since a place."""
        return self._data[place : self.at]
