"""Tells a question about a whole document from one about a fact, and finds the document that is meant.

Rules over the wording, in English and Chinese; pure functions. It reads no document: `agent/summary.py`,
`agent/listing.py` and `agent/speakers.py` do, once the document is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from agent import asking
from agent.named import FILE, GENERIC, Document, matching
from agent.state import Lang
from retrieval.tokens import CJK, is_chinese

Kind = Literal["summary", "list", "speakers"]

THIS = "this"  # `Sweep.named` of a question that only points: "this document", 本文
MAX_CANDIDATES = 5
LIST_DOCUMENTS = 12  # a list question that names none may sweep as many documents,
LIST_CHARS = 400_000  # of as many characters together


@dataclass(frozen=True)
class Sweep:
    """What a question wants of a whole document."""

    kind: Kind
    lang: Lang
    subject: str = ""
    """Of a list: what is to be listed. Of a summary or of speakers: the topic asked about, if any."""
    named: str = ""
    """The file name or title that the question mentions; `THIS` where it only points; "" for neither."""
    speaker: str = ""


_FILE_OR_STEM = re.compile(r"[\w.-]+\.\w{2,8}\b|\w+(?:[-_]\w+)+", re.ASCII)
_TITLE = re.compile(r"[《「『“\"]([^》」』”\"]{2,80})[》」』”\"]")
_EN = [
    [asking.english(wording) for wording in wordings.values()]
    for wordings in (asking.SPEAKERS_EN, asking.LIST_EN, asking.SUMMARY_EN)
]
_ZH = [
    [asking.chinese(wording) for wording in wordings.values()]
    for wordings in (asking.SPEAKERS_ZH, asking.LIST_ZH, asking.SUMMARY_ZH)
]


def sweep_of(question: str) -> Sweep | None:
    """What a whole-document question wants; `None` for an ordinary one."""
    text = " ".join(question.split())
    lang: Lang = "zh" if is_chinese(_FILE_OR_STEM.sub("", text)) else "en"
    speakers, lists, summaries = _ZH if lang == "zh" else _EN
    for pattern in speakers:
        if match := pattern.search(text):
            return _of_speakers(match, text, lang)
    for pattern in summaries[:2]:  # "list all key takeaways" wants the list, "summarise all" the summary
        if match := pattern.search(text):
            return _of_summary(match, text, lang)
    for pattern in lists:
        if match := pattern.search(text):
            subject = _subject(match.group("subject"), lang)
            return Sweep("list", lang, subject, _named(text, "", lang)) if subject else None
    for pattern in summaries[2:]:
        if match := pattern.search(text):
            return _of_summary(match, text, lang)
    return None


def _of_speakers(match: re.Match[str], text: str, lang: Lang) -> Sweep:
    groups = match.groupdict()
    topic = groups.get("topic") or ""
    if lang == "en":
        found = asking.FOCUS_EN.search(asking.TAIL_EN.sub("", topic) or topic) or re.search(
            r"^\s*on\s+(?P<topic>.+)", topic
        )
    else:
        found = asking.FOCUS_ZH.search(topic)
    subject = _without_document(found.group("topic"), lang) if found else ""
    return Sweep("speakers", lang, subject, _named(text, "", lang), (groups.get("speaker") or "").strip())


def _of_summary(match: re.Match[str], text: str, lang: Lang) -> Sweep | None:
    object_ = (match.groupdict().get("object") or "").strip(" ,，.。:：?？!！")
    focus = (asking.FOCUS_EN if lang == "en" else asking.FOCUS_ZH).search(object_)
    if focus:
        object_ = object_[: focus.start()] + (object_[focus.end() :] if lang == "zh" else "")
    subject = _without_document(focus.group("topic"), lang) if focus else ""
    return Sweep("summary", lang, subject, _named(text, object_, lang))


def _without_document(topic: str, lang: Lang) -> str:
    return (asking.TAIL_EN.sub("", topic) if lang == "en" else topic).strip(" ,，.。?？的")


def _subject(text: str, lang: Lang) -> str:
    text = text.strip(" ,，.。?？!！")
    if lang == "zh":
        text = re.sub("^[中里裡内內]的?", "", FILE.sub("", text).strip())
        match = asking.SUBJECT_ZH.match(text)
        return match.group("subject").strip(" ，。的") if match else text
    text = re.sub(r"^(?:the|of the|of|single)\s+", "", asking.TAIL_EN.sub("", text).strip(), flags=re.I)
    return text.strip(" ,.?!")


def _named(text: str, object_: str, lang: Lang) -> str:
    """What a question calls the document; `object_` is what it wants summarised, if that is known."""
    if file := FILE.search(text):
        name = file.group()
        name = re.sub(rf"^[{CJK}]+(?=[A-Za-z0-9])", "", name)
        return re.sub(f"^.*(?:{asking.SUM_ZH.pattern}|列[出举舉]|找出)(?:一下)?", "", name)
    if title := _TITLE.search(text):
        return title.group(1)
    if lang == "zh":
        return _named_zh(text)
    if object_:
        object_ = re.sub(
            r"^(?:of|for)\s+|\s+(?:in|to|as|using)\s+(?:\w+\s+){1,3}(?:sentences?|words?|bullets?|points?|me)\b.*$",
            "",
            object_,
        )
        object_ = re.sub(r"^(?:in|from)\s+|,?\s*please$", "", object_.strip())
        if asking.THIS_EN.fullmatch(object_) or not object_:
            return THIS if object_ else ""
        return re.sub(r"^(?:the|this|that|my|our)\s+", "", object_, flags=re.I)
    found = asking.MEANT_LAST_EN.search(text)
    if found and not asking.THIS_EN.fullmatch(found.group(1)):
        return re.sub(r"^(?:the|this|that|my|our)\s+", "", found.group(1), flags=re.I)
    return THIS if found or asking.THE_NOUN_EN.search(text) else ""


def _named_zh(text: str) -> str:
    if stem_ := re.match(r"[A-Za-z0-9][\w.]*[-_][A-Za-z0-9_.-]+", text):
        return stem_.group()
    found = re.search(
        f"(?:[这那這该該][一]?(?:篇|份|期|次|场|場|封)?)?([A-Za-z0-9{CJK}]*?)({asking.NOUN_ZH.pattern}+)",
        text,
    )
    if found:
        words = re.sub(
            f"^.*(?:{asking.SUM_ZH.pattern}|列[出举舉]|找出|一下|[把将將对對给給在请請]|所有|全部)",
            "",
            found.group(1),
        )
        words = re.sub(r"^(?:[这那這该該本此上一篇份期次场個个]|关于|關於|的)+", "", words).rstrip("的")
        if words or (
            found.group(2) not in GENERIC and not re.search(f"[这那這本该該此].{{0,2}}{found.group(2)}", text)
        ):
            return words + found.group(2)
    return THIS if asking.THIS_ZH.search(text) else ""


def target_documents(
    sweep: Sweep,
    documents: Sequence[Document],
    recent: Sequence[int],
    chars: Mapping[int, int] | None = None,
) -> list[int] | str:
    """The ids of the documents meant, or a sentence asking the user to name one.

    An empty list when the name given fits no document and does not look like a file's: then the question may
    be an ordinary one. `recent`: ids cited before in the thread, latest first. `chars`: lengths of documents,
    which bound what a list question that names none may sweep.
    """
    if not documents:
        return "库中还没有文件。" if sweep.lang == "zh" else "There is no document in the library yet."
    known = {id_ for id_, _, _ in documents}
    latest = [id_ for id_ in recent if id_ in known]
    if sweep.named and sweep.named != THIS:
        best = matching(sweep.named, documents)
        if len(best) == 1:
            return best
        if best:
            return next(([id_] for id_ in latest if id_ in best), _ask(sweep.lang, documents, best))
        if FILE.fullmatch(sweep.named):
            return _unknown(sweep, documents)
        if len(known) > 1 or sweep.kind == "list":
            return []
    if len(known) == 1:
        return list(known)
    if sweep.kind == "list" and sweep.named != THIS:
        few = len(known) <= LIST_DOCUMENTS and sum((chars or {}).values()) <= LIST_CHARS
        return sorted(known) if few else _ask(sweep.lang, documents, latest)
    return latest[:1] or _ask(sweep.lang, documents, [])


def _ask(lang: Lang, documents: Sequence[Document], some: Sequence[int]) -> str:
    names = _examples(documents, some)
    if lang == "zh":
        return f"请说明是哪一份文件，例如：{'、'.join(names)}。"
    return f"Which document do you mean? Name one, for example: {', '.join(names)}."


def _unknown(sweep: Sweep, documents: Sequence[Document]) -> str:
    names = _examples(documents, [])
    if sweep.lang == "zh":
        return f"库中没有名为 {sweep.named} 的文件；有：{'、'.join(names)}。"
    return f"There is no document called {sweep.named}; there are, for example: {', '.join(names)}."


def _examples(documents: Sequence[Document], some: Sequence[int]) -> list[str]:
    by_id = {id_: PurePath(path).name or title for id_, path, title in documents}
    return [by_id[id_] for id_ in dict.fromkeys([*some, *by_id])][:MAX_CANDIDATES]
