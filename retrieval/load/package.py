"""Open the zip packages that office documents are, within bounds, and read their XML.

Every part is read up to a limit, whatever its header declares, and XML that declares entities is
refused, so that no small file can grow without end. It does not write, repair or decrypt, and it
says nothing about what the parts mean. Namespaces are dropped: the strict and the transitional
flavour of Office Open XML differ in nothing else that is read here.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from io import BytesIO
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from retrieval.load.source import LoadError

UNPACKED_LIMIT = 1_000_000_000  # bytes that all parts together may declare; media are not unpacked
PART_LIMIT = 200_000_000  # bytes of one part that is read
TREE_LIMIT = 64_000_000  # bytes of XML made into a tree, which takes some ten times as much memory
RATIO_LIMIT = 250  # office XML packs to 1/10 to 1/60; a bomb of zeros to 1/1000
_RATIO_FROM = 5_000_000  # bytes below which the ratio is of no concern
_ENTRIES_LIMIT = 50_000
_ENTRY = b"PK\x01\x02"  # the signature of an entry in the list at the end of a zip file
_ENTITY = tuple("<!ENTITY".encode(e) for e in ("ascii", "utf-16-le", "utf-16-be"))
OLE = b"\xd0\xcf\x11\xe0"
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")

DAMAGED = "damaged or cut off: it cannot be unpacked"
TOO_LARGE = "it unpacks to far more than a document holds: not read"
LOCKED = "password-protected: save a copy without a password"


def opened(data: bytes) -> zipfile.ZipFile:
    """The package in `data`. Raises LoadError for what is damaged or unpacks to too much."""
    if data.startswith(OLE):
        raise LoadError(LOCKED if "EncryptedPackage".encode("utf-16-le") in data else _OLD)
    if data.count(_ENTRY) > _ENTRIES_LIMIT:
        raise LoadError(TOO_LARGE)
    try:
        package = zipfile.ZipFile(BytesIO(data))
    except Exception as error:  # zipfile raises many kinds for broken lists
        raise LoadError(DAMAGED) from error
    entries = package.infolist()
    for entry in entries:
        if entry.file_size > max(_RATIO_FROM, RATIO_LIMIT * entry.compress_size):
            raise LoadError(TOO_LARGE)
    if sum(entry.file_size for entry in entries) > UNPACKED_LIMIT:
        raise LoadError(TOO_LARGE)
    return package


_OLD = "a file of Office 97-2003 under a new name: open it and save it as .docx, .xlsx or .pptx"


def part(package: zipfile.ZipFile, name: str, limit: int = PART_LIMIT) -> bytes | None:
    """The bytes of a part; None where there is none. Raises LoadError: damaged, locked or too large."""
    try:
        entry = package.getinfo(name)
    except KeyError:
        return None
    if entry.flag_bits & 1:
        raise LoadError(LOCKED)
    try:
        with package.open(entry) as file:
            data = file.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
        raise LoadError(DAMAGED) from error
    if len(data) > limit:
        raise LoadError(TOO_LARGE)
    return data


def xml(package: zipfile.ZipFile, name: str) -> Element | None:
    """The tree of an XML part, tags without their namespaces; None where there is no such part.

    Raises LoadError as `part` does, and for XML that is broken or declares entities.
    """
    data = part(package, name, TREE_LIMIT)
    return None if data is None else tree(data, name)


def tree_is_safe(data: bytes, name: str) -> None:
    """Raises LoadError for XML that declares entities: they can grow without end."""
    if any(mark in data for mark in _ENTITY):
        raise LoadError(f"its XML declares entities, which no document needs ({name})")


def tree(data: bytes, name: str) -> Element:
    """The tree of `data`, the XML of part `name`. Raises LoadError where it is broken or unsafe."""
    tree_is_safe(data, name)
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise LoadError(f"damaged: broken XML ({name})") from error
    for element in root.iter():
        element.tag = local(element.tag)
    return root


def local(name: str) -> str:
    """A tag or attribute name without its namespace."""
    return name.rpartition("}")[2]


def attribute(element: Element | None, name: str, space: str = "") -> str:
    """The attribute of that local name, "" where there is none; `space` ends its namespace."""
    for key, value in element.attrib.items() if element is not None else ():
        if local(key) == name and key.rpartition("}")[0].endswith(space):
            return value
    return ""


def relations(package: zipfile.ZipFile, name: str) -> dict[str, tuple[str, str]]:
    """What part `name` refers to: id to (last word of the type, name of the part). Links out are not."""
    folder, file = posixpath.split(name)
    root = xml(package, posixpath.join(folder, "_rels", f"{file}.rels"))
    found = {}
    for item in root if root is not None else ():
        if item.get("TargetMode") != "External":
            kind = item.get("Type", "").rpartition("/")[2]
            found[item.get("Id", "")] = kind, resolved(folder, item.get("Target", ""))
    return found


def resolved(folder: str, target: str) -> str:
    """The name in the package of a reference made from `folder`."""
    path = unquote(target.partition("#")[0])
    return posixpath.normpath(path.lstrip("/") if path.startswith("/") else posixpath.join(folder, path))


def related(package: zipfile.ZipFile, name: str, kind: str) -> str:
    """The first part of a kind that part `name` refers to, or ""."""
    return next((target for type_, target in relations(package, name).values() if type_ == kind), "")


def properties(package: zipfile.ZipFile) -> tuple[str, str]:
    """The title and the day of creation (ISO 8601) in the core properties; "" where unknown."""
    name = related(package, "", "core-properties") or "docProps/core.xml"
    try:
        root = xml(package, name)
    except LoadError:  # a document without its properties is still one
        return "", ""
    fields = {item.tag: (item.text or "").strip() for item in (root if root is not None else ())}
    return fields.get("title", ""), day(fields.get("created", ""))


def day(written: str) -> str:
    """The ISO 8601 day that a timestamp begins with, or ""."""
    found = _DAY.match(written.strip())
    return found[0] if found else ""


def embedded(package: zipfile.ZipFile) -> tuple[str, ...]:
    """A note that counts the files within the file, where there are any."""
    count = sum("/embeddings/" in name and not name.endswith("/") for name in package.namelist())
    return (f"{count} embedded file{'s are' if count > 1 else ' is'} left out",) if count else ()


_MAIN = (("word/", ".docx"), ("ppt/", ".pptx"), ("xl/", ".xlsx"))
_TYPES = {
    b"application/epub+zip": ".epub",
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
}


def kind_of(data: bytes) -> str:
    """The suffix that a zip package ought to have by its content; "" where it is none of ours."""
    try:
        package = opened(data)
        named = part(package, "mimetype", 1000) or b""
    except LoadError:
        return ""
    if named.strip() in _TYPES:
        return _TYPES[named.strip()]
    names = package.namelist()
    if "[Content_Types].xml" not in names:
        return ""
    return next((kind for top, kind in _MAIN if any(name.startswith(top) for name in names)), "")
