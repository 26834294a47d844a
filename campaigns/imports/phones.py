"""Phone numbers to E.164, by the verdict of phonenumbers, at a price that a million of them can bear."""

import re
from collections.abc import Callable, Sequence

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

from campaigns.imports.values import Bad

#: Numbers that need no parser: digits with the usual separators, maybe after a plus.
_PLAIN = re.compile(r"\+?[0-9][0-9 ./-]*", re.ASCII)
_KINDS = (
    "mobile", "fixed_line", "toll_free", "premium_rate", "shared_cost",
    "voip", "personal_number", "pager", "uan", "voicemail",
)  # fmt: skip


class BadPhone(ValueError):
    """Not a phone number; says why."""


class PhoneReader:
    """Reads numbers as written in one country, or with a plus as written anywhere."""

    def __init__(self, country: str | None = None) -> None:
        self.country = country
        self._trunk = _trunk_prefix(country)
        self._code = str(phonenumbers.country_code_for_region(country)) if country else ""
        self._codes: dict[str, Callable[..., object]] = {}

    def read_many(self, cells: Sequence[str]) -> list[str | Bad | None]:
        """Give each number in E.164, None for an empty cell, or what is wrong with it."""
        known = self._codes
        return [
            cell
            # of the codes of two digits, which most are, none begins another
            if (certain := known.get(cell[1:3])) is not None and cell[0] == "+" and certain(cell, 3)
            else self._read_cell(cell)
            for cell in cells
        ]

    def _read_cell(self, cell: str) -> str | Bad | None:
        text = cell.strip()
        try:
            return self.read(text) if text else None
        except BadPhone as error:
            return Bad(str(error))

    def read(self, text: str) -> str:
        """Give the number in E.164.

        Raises:
            BadPhone: with the reason.
        """
        if _PLAIN.fullmatch(text):
            digits = text.replace(" ", "").replace("-", "").replace("/", "").replace(".", "")
            if digits[0] == "+":
                for size in (3, 4, 2):  # most codes have two digits; none begins another
                    certain = self._codes.get(digits[1:size]) or self._learn(digits[1:size])
                    if certain is not None:
                        return digits if certain(digits[size:]) else self._parse(text)
            elif self._trunk and digits[0] == "0":
                certain = self._codes.get(self._code) or self._learn(self._code)
                if certain is not None and certain(digits[1:]):
                    return f"+{self._code}{digits[1:]}"
        return self._parse(text)

    def _learn(self, code: str) -> Callable[..., object] | None:
        """Give what says whether digits are, as they stand, surely a valid number of a code."""
        if not code.isdigit() or int(code) not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return None
        certain = self._codes[code] = re.compile(_certainly_valid(int(code)), re.ASCII).fullmatch
        return certain

    def _parse(self, text: str) -> str:
        try:
            number = phonenumbers.parse(text, self.country)
        except NumberParseException as error:
            if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and not self.country:
                raise BadPhone("has no country code, and no country was named to read it by.") from error
            raise BadPhone("is no phone number.") from error
        if not phonenumbers.is_valid_number(number):
            raise BadPhone("is no phone number that can exist.")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def as_dialled(digits: str, countries: Sequence[str]) -> list[str]:
    """What a number without its country is in E.164, for each country in which it may be dialled."""
    found = []
    for country in countries:
        try:
            number = phonenumbers.parse(digits, country)
        except NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            found.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return list(dict.fromkeys(found))


def _trunk_prefix(country: str | None) -> bool:
    """Say whether a country dials a plain 0 before national numbers, and 00 before others."""
    metadata = PhoneMetadata.metadata_for_region(country, None) if country else None
    return metadata is not None and metadata.national_prefix_for_parsing == "0"


def _certainly_valid(code: int) -> str:
    """Write one pattern of the numbers of a code that are valid as they stand.

    It says what phonenumbers.is_valid_number does: of the regions that share a code the first that claims
    a number, by its leading digits if it has such, decides. Numbers that begin with 0, or with what is
    dialled before national numbers, are left to the library.
    """
    claimed: list[str] = []
    choices: list[str] = []
    prefixes = ["0"]
    for name in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, name)
        if metadata is None:
            continue
        if metadata.national_prefix_for_parsing:
            prefixes.append(metadata.national_prefix_for_parsing)
        kinds = (getattr(metadata, kind) for kind in _KINDS)
        valid = f"(?={_pattern(metadata.general_desc)})(?:{'|'.join(_pattern(one) for one in kinds if one)})"
        others = "".join(f"(?!{leading})" for leading in claimed)
        if metadata.leading_digits:
            choices.append(f"{others}(?={metadata.leading_digits}){valid}")
            claimed.append(metadata.leading_digits)
        else:
            choices.append(others + valid)
    return f"(?!{'|'.join(prefixes)})(?:{'|'.join(f'(?:{choice})' for choice in choices)})"


def _pattern(description: PhoneNumberDesc | None) -> str:
    """Write the whole of a description: digits and lengths; it matches to the end or not at all."""
    if description is None or description.national_number_pattern is None:
        return "(?!)"
    sizes = sorted(description.possible_length)
    if sizes and sizes[-1] - sizes[0] == len(sizes) - 1:
        length = f"(?=[0-9]{{{sizes[0]},{sizes[-1]}}}\\Z)"
    else:
        length = f"(?=(?:{'|'.join(f'[0-9]{{{size}}}' for size in sizes)})\\Z)" if sizes else ""
    return f"{length}(?:{description.national_number_pattern})\\Z"
