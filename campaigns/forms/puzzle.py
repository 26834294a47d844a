"""The puzzle that a browser solves before it posts: proof of work, on this machine, without a picture.

Source: ALTCHA, proof of work version 2.
"""

import base64
import json
import struct
from typing import Any

from altcha import create_challenge, verify_solution

ALGORITHM = "PBKDF2/SHA-256"
ROUNDS = 5000  #: of the key derivation: 2 ms for us, once; for a browser some 256 times that
PREFIX = "00"
LONGEST = 4000  #: of a solution, in characters
#: What a stranger's text may bring about, in our reading and in the library's.
_UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    struct.error,
)


def puzzle(nonce: bytes, secret: bytes) -> dict[str, Any]:
    """Make the puzzle of one page; its solution is good for that page's stamp alone."""
    made = create_challenge(
        ALGORITHM, ROUNDS, key_prefix=PREFIX, data={"stamp": nonce.hex()}, hmac_secret=secret
    )
    return made.to_dict()


def is_solved(solution: str, nonce: bytes, secret: bytes) -> bool:
    """Tell whether somebody did the work for this page; whatever the text may be."""
    if not solution or len(solution) > LONGEST:
        return False
    try:
        told = json.loads(base64.b64decode(solution, validate=True))
        parameters = told["challenge"]["parameters"]
        ours = (parameters["algorithm"], parameters["cost"], parameters["data"]["stamp"])
        # looked at first: a forged one must not choose how long we work
        if ours != (ALGORITHM, ROUNDS, nonce.hex()) or not _has_whole_numbers(told):
            return False
        return bool(verify_solution(solution, secret).verified)
    except _UNREADABLE:
        return False


def _has_whole_numbers(told: Any) -> bool:
    """Whether numbers are whole: 5000.0 equals 5000 and is signed alike, yet is no count of rounds."""
    parameters, counter = told["challenge"]["parameters"], told["solution"]["counter"]
    sizes = (parameters["cost"], parameters["keyLength"], counter)
    return all(type(one) is int for one in sizes) and 0 <= counter < 2**32
