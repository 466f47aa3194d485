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
    for secret in sorted(_secrets(address), key=len, reverse=True):
        # What is short, such as a `1`, may be a part of other words.
        pattern = rf"(?<!\w){re.escape(secret)}(?!\w)" if len(secret) < 4 else re.escape(secret)
        text = re.sub(pattern, HIDDEN, text)
    return text


def _secrets(address: str) -> set[str]:
    """Return the password and the values of the query, as they stand and as they are meant."""
    found = _USER_AND_PASSWORD.search(address)
    query = _CREDENTIALS.sub("", address).partition("?")[2] if "://" in address else ""
    values = {*_QUERY_VALUE.findall(query), found[1] if found else ""}
    return (values | {unquote(each) for each in values}) - {""}
