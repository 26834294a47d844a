"""Numbers with what they count, in words."""


def many(count: int, one: str, several: str = "") -> str:
    """Say how many: `1 row`, `2,000 rows`; `several` where that is not one with an s."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def chosen(count: int, words: str) -> str:
    """Choose between `one|several`; words without a bar fit any number."""
    one, bar, several = words.partition("|")
    return several if bar and count != 1 else one
