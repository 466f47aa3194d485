"""Addresses as people may see them: without the passwords and signatures that they carry."""

import re
from urllib.parse import unquote

_CREDENTIALS = re.compile(r"(?<=://)(?!/).*@")
_USER_AND_PASSWORD = re.compile(r"://(?!/)[^:/@]*:(.*)@")
_QUERY_VALUE = re.compile(r"(?<==)[^&#]*")
HIDDEN = "***"


def without_secrets(address: str) -> str:
    """Return a URL without user and password, and without the values of its query.

    What is no URL, such as a path, comes back as it is.
    """
    scheme, separator, _ = address.partition("://")
    if not separator or not scheme:
        return address
    bare = _CREDENTIALS.sub(f"{HIDDEN}@", address)
    before, question, query = bare.partition("?")
    return before + question + _QUERY_VALUE.sub(HIDDEN, query)


def scrubbed(text: str, address: str) -> str:
    """Return `text`, such as an error's, with nothing of `address` in it that is secret."""
    if address:
        text = text.replace(address, without_secrets(address))
    found = _USER_AND_PASSWORD.search(address)
    for password in {found[1], unquote(found[1])} - {""} if found else ():
        text = text.replace(password, HIDDEN)
    return text
