"""Read and answer questions about dates and spans of days, in English and Chinese.

Operations (operands):
- date (date): the date itself, for "today" and the like.
- weekday (date): the day of the week.
- next_weekday (date, n): the first weekday n (1 Monday ... 7 Sunday) strictly after the date.
- last_weekday (date, n): the last weekday n strictly before the date.
- this_week, next_week, last_week (date, n): weekday n of the ISO week, Monday to Sunday, of the
  date, the one after it, the one before it.
- add_days, add_weeks, add_months, add_years (date, n): n may be negative. A month or year that
  has no such day ends on its last day (31 January + 1 month is 28 or 29 February).
- days_between, weeks_between, months_between, years_between (date, date): never negative; the
  sentence says which date comes first. The value is in whole units, the sentence adds the rest.

"next Sunday" is the first Sunday strictly after today (next_weekday), "this Friday" and 这周五
fall in the current ISO week, 下周日 is the Sunday of the next ISO week (next_week), "last Friday"
is the last one strictly before today, 上周五 the Friday of the ISO week before.

A date without a year is the one in today's year, after "until" the next one from today on. The
only holidays known are those on a fixed day: Christmas, New Year, Halloween, Valentine's Day,
元旦, 圣诞节, 国庆节, 劳动节. It knows no times of day, working days or lunar dates, and it does
not read questions about events (when was ..., how long did ... last): those are in documents.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from functools import partial

from .base import (
    MAX_QUESTION_CHARS,
    Call,
    Lang,
    Operand,
    ToolError,
    ToolResult,
    call_of,
    known,
    tidy,
    value_of,
    wanted,
    with_case,
)
from .dates import find_dates
from .numbers import ZH_CHARS, find_numbers, fold, is_whole, parse_chinese, parse_english
from .patterns import compiled

# --- reading -------------------------------------------------------------------------------

_call = partial(call_of, "calendar")
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_ZH_WEEKDAYS = {char: number for number, char in enumerate("一二三四五六日", 1)} | {"天": 7}
_RELATIVE = {
    "today": 0,
    "now": 0,
    "tomorrow": 1,
    "yesterday": -1,
    "the day after tomorrow": 2,
    "the day before yesterday": -2,
    "今天": 0,
    "今日": 0,
    "现在": 0,
    "明天": 1,
    "后天": 2,
    "大后天": 3,
    "昨天": -1,
    "前天": -2,
}
_HOLIDAYS = {
    "christmas": (12, 25),
    "christmas day": (12, 25),
    "christmas eve": (12, 24),
    "new year": (1, 1),
    "new year's day": (1, 1),
    "new year's eve": (12, 31),
    "halloween": (10, 31),
    "valentine's day": (2, 14),
    "元旦": (1, 1),
    "圣诞": (12, 25),
    "圣诞节": (12, 25),
    "国庆": (10, 1),
    "国庆节": (10, 1),
    "劳动节": (5, 1),
    "年底": (12, 31),
    "今年年底": (12, 31),
    "the end of the year": (12, 31),
}
_DATE_NOUN = (
    r"\b(?:date|deadline|anniversary|birthday|expiry|expiration|signing|launch|renewal|delivery"
    r"|start|end|beginning|wedding|meeting|election|exam|appointment|departure|arrival|day)\b"
)
_ZH_DATE_NOUN = r"[\u4e00-\u9fff]{1,}(?:日|日期|日子|期限|截止|到期|时间|生日|当天|那天|结束|开始)$"
_BAD_PHRASE = r"\b(?:what|who|which|when|where|why|how|is|are|was|were|did|does|do|has|have|had|will)\b|[?,;]"
_DESCRIBED_DATE = r"^(the (?:date|day)\b.*?)\b(?:is|are|was|were)\b"
_ZH_BAD = "什么|谁|哪|吗|呢|如何|怎|多少|几|[,，。;；?!、]"

_UNITS = {"天": "days", "日": "days", "周": "weeks", "星期": "weeks", "月": "months", "年": "years"}
_N = r"([0-9,]{1,9}|an?|[a-z]+(?:[- ][a-z]+){0,3}?)"
_UNIT = r"(day|week|month|year)s?"
_ZH_N = rf"([0-9,]{{1,9}}|[{ZH_CHARS}]{{1,9}}) ?"
_ZH_UNIT = r"(天|日|周|个?星期|个月|年)"

_BEFORE_DATE = rf"^(?:on )?(?:the )?(?=[0-9])|^(?:{'|'.join(_WEEKDAYS)}),? (?=[0-9a-z])"


def read(question: str, today: date) -> Call | None:
    """The calendar question that question asks, or None. Never raises.

    today is what relative dates count from; it is written into the operands.
    """
    if len(question) > MAX_QUESTION_CHARS:
        return None
    line = tidy(question)
    body = fold(line).rstrip("?？。. ")
    if re.search(r"[\u4e00-\u9fff]", body):
        call = _read_chinese(re.sub(r"^(?:请问|请|问)+[ ,，]*", "", body), today)
    else:
        call = _read_english(body, today)
    return with_case(call, line) if call else None


def _read_english(body: str, today: date) -> Call | None:
    if re.fullmatch(
        r"(?:what(?:'s| is) )?(?:the date(?: today)?|today's date)|what(?:'s| is) the day today"
        r"|what (?:date|day)(?: of the (?:week|month))? is (?:it|today)(?: today)?",
        body,
    ):
        return _call("date", known("date", today.isoformat()))
    match = re.fullmatch(
        r"(?:(?:what|which) (?:date|day|weekday)(?: of the (?:week|month))?"
        r" (?:is|was|will(?: it)? be|is it|was it|falls on|does)|what(?:'s| is| was| will be)"
        r" the (?:date|day)(?: be)?(?: of)?|when(?:'s| is)) (.+?)(?: fall on| be)?",
        body,
    )
    if match:
        shifted = _weekday_call(match[1], today) or _shift(match[1], today, lead=True)
        return shifted or (None if body.startswith("when") else _plain_day(body, match[1], today))
    match = re.fullmatch(
        r"how (?:many (days|weeks|months|years)(?: (?:are|is|were) (?:there|it))?"
        r"(?: left| remaining| remain)?|long(?: is it)?) (between|from|until|till|to|before|since)"
        r" (.+)",
        body,
    )
    if match:
        return _between_call(match, today)
    return _shift(body, today, lead=False)


def _plain_day(body: str, text: str, today: date) -> Call | None:
    """What day is tomorrow asks for the date, what day is 2026-12-25 for the weekday."""
    named = (text in _RELATIVE or text in _HOLIDAYS) and not re.search("week|星期|周|礼拜", body)
    return _call("date" if named else "weekday", _date(text, today, phrases=False))


def _weekday_call(text: str, today: date) -> Call | None:
    """next Sunday, this Friday, last Monday, 下周日, 本周五, 上个星期三."""
    match = re.fullmatch(rf"(?:on )?(next|this|last) ({'|'.join(_WEEKDAYS)})", text)
    if match:
        number = _WEEKDAYS.index(match[2]) + 1
        name = "this_week" if match[1] == "this" else f"{match[1]}_weekday"
    else:
        match = re.fullmatch(r"(下|这|本|上)个?(?:周|星期|礼拜)([一二三四五六日天])", text)
        if not match:
            return None
        number = _ZH_WEEKDAYS[match[2]]
        name = {"下": "next_week", "上": "last_week"}.get(match[1], "this_week")
    return _call(name, known("date", today.isoformat()), known("number", str(number)))


def _shift(text: str, today: date, lead: bool) -> Call | None:
    """in 3 weeks, 10 days ago, 90 days after 2026-03-01. lead: a question word came before."""
    now = known("date", today.isoformat())
    match = re.fullmatch(rf"{_N} {_UNIT} (after|before|from|prior to|later than) (.+)", text)
    if match:
        sign = -1 if match[3] in {"before", "prior to"} else 1
        return _add(match[2] + "s", match[1], sign, _date(match[4], today))
    match = re.fullmatch(rf"(?:it )?in {_N} {_UNIT}(?:'s? time)?|{_N} {_UNIT} (ago)", text)
    if match and lead:
        sign = -1 if match[5] else 1
        return _add((match[2] or match[4]) + "s", match[1] or match[3], sign, now)
    return None


def _add(unit: str, count: str, sign: int, start: Operand | None) -> Call | None:
    number = _count(count)
    if number is None:
        return None
    return _call(f"add_{unit}", start, known("number", str(sign * number)))


def _count(text: str) -> int | None:
    text = text.replace(",", "").strip()
    if text in {"a", "an"}:
        return 1
    if text.isdigit():
        return int(text)
    value = parse_english(text) if text.isascii() else parse_chinese(text)
    return None if value is None or not is_whole(value) else int(value)


def _between_call(match: re.Match[str], today: date) -> Call | None:
    unit, word, rest = match[1] or "days", match[2], match[3]
    now = known("date", today.isoformat())
    operation = f"{unit}_between"
    if word in {"until", "till", "to", "before"}:
        return _call(operation, now, _date(rest, today, ahead=True))
    if word == "since":
        return _call(operation, _date(rest, today), now)
    joints = r" and " if word == "between" else r" (?:to|until|till) "
    for joint in re.finditer(joints, rest):
        left = _date(rest[: joint.start()], today)
        right = _date(rest[joint.end() :], today)
        if left and right:
            return _call(operation, left, right)
    return None


def _date(text: str, today: date, phrases: bool = True, ahead: bool = False) -> Operand | None:
    """The date text names, or the phrase that has to be looked up; None when it is neither."""
    text = text.strip()
    day = _resolve(text, today, ahead)
    if day:
        return known("date", day.isoformat())
    if not phrases or (find_dates(text) and len(text) < 12):
        return None
    if text.isascii():
        good = re.match(r"(?:the|my|our|your|his|her|its|their|this|that) |[a-z]+'s ", text)
        fits = bool(good) and len(text.split()) <= 10 and bool(compiled(_DATE_NOUN).search(text))
        # "the date the contract was signed": the verb belongs to the description of the date.
        described = compiled(_DESCRIBED_DATE).sub(r"\1", text)
        return wanted("date", text) if fits and not compiled(_BAD_PHRASE).search(described) else None
    fits = (
        len(text) <= 20 and bool(compiled(_ZH_DATE_NOUN).search(text)) and not compiled(_ZH_BAD).search(text)
    )
    return wanted("date", text) if fits else None


def _resolve(text: str, today: date, ahead: bool) -> date | None:
    text = compiled(_BEFORE_DATE).sub("", text)
    try:
        if text in _RELATIVE:
            return today + timedelta(days=_RELATIVE[text])
        if text in _HOLIDAYS:
            return _in_year(*_HOLIDAYS[text], today, ahead)
        weekday = _weekday_call(text, today)
        if weekday:
            return _compute(weekday["operation"], [op["value"] or "" for op in weekday["operands"]])
        return _written_date(text, today, ahead)
    except (OverflowError, ValueError):
        return None


def _in_year(month: int, day: int, today: date, ahead: bool) -> date:
    """Raises ValueError for 29 February of a year without one."""
    found = date(today.year, month, day)
    return found if not ahead or found >= today else date(today.year + 1, month, day)


def _written_date(text: str, today: date, ahead: bool) -> date | None:
    match = re.fullmatch(r"(?:the )?end of ([12][0-9]{3})|([12][0-9]{3}) ?年(?:年)?[底末]", text)
    if match:
        return date(int(match[1] or match[2]), 12, 31)
    text = text.title()  # "1 march" in small letters is not taken for a date
    spans = find_dates(text)
    if len(spans) != 1 or (spans[0].start, spans[0].end) != (0, len(text)):
        return None
    span = spans[0]
    if span.year is None and span.month and span.day:
        return _in_year(span.month, span.day, today, ahead)
    return span.to_date()


_ZH_WHICH_DAY = (
    r" ?(?:是|为|会是)?(?:几月几[号日]|几[号日]|多少号|星期几|周几|礼拜几|哪一?天|什么日期|什么日子"
    r"|哪年哪月哪[日天]|什么时候)"
)
_ZH_HOW_MANY = (
    r"(?:一共|总共|共)?(?:还有|还剩|相差|相隔|间隔|隔|有|是|差)?(?:多少|几)(天|周|个?星期|个?月|年)"
)


def _read_chinese(body: str, today: date) -> Call | None:
    match = re.fullmatch(rf"(.+?){_ZH_WHICH_DAY}", body)
    if match:
        text = match[1].strip()
        shifted = _weekday_call(text, today) or _zh_shift(text, today)
        return shifted or _plain_day(body, text, today)
    match = re.fullmatch(
        rf"(?:从|自)?(.+?)(?:起|开始)?(?:到|至|和|与|离|距离?)(.+?)(?:之间|为止)? ?{_ZH_HOW_MANY}",
        body,
    )
    if match:
        call = _zh_between(match[3], _date(match[1], today), _date(match[2], today, ahead=True))
        if call:
            return call
    match = re.fullmatch(rf"(?:距离?|离|到) ?(.+?) ?{_ZH_HOW_MANY}", body)
    if not match:
        return None
    now = known("date", today.isoformat())
    return _zh_between(match[2], now, _date(match[1], today, ahead=True))


def _zh_between(unit: str, left: Operand | None, right: Operand | None) -> Call | None:
    return _call(f"{_UNITS[unit.removeprefix('个')]}_between", left, right)


def _zh_shift(text: str, today: date) -> Call | None:
    """三天后, 2026年3月1日之后90天, 从今天起90天后, 合同签订日前两周."""
    now = known("date", today.isoformat())
    match = re.fullmatch(rf"(?:再?过)?{_ZH_N}{_ZH_UNIT}(?:之|以)?(后|前)", text)
    if match:
        return _zh_add(match[2], match[1], match[3], now)
    match = re.fullmatch(rf"(?:再)?过{_ZH_N}{_ZH_UNIT}", text)
    if match:
        return _zh_add(match[2], match[1], "后", now)
    match = re.fullmatch(rf"(.+?)(?:之|以|往)?(后|前)的?{_ZH_N}{_ZH_UNIT}", text)
    if match:
        return _zh_add(match[4], match[3], match[2], _date(match[1], today))
    match = re.fullmatch(
        rf"(?:从|自)?(.+?[日号天期])(?:起|开始|算起)?的?{_ZH_N}{_ZH_UNIT}(?:之|以)?(后|前)", text
    )
    if match:
        return _zh_add(match[3], match[2], match[4], _date(match[1], today))
    return None


def _zh_add(unit: str, count: str, word: str, start: Operand | None) -> Call | None:
    return _add(_UNITS[unit.removeprefix("个")], count, 1 if word == "后" else -1, start)


# --- running -------------------------------------------------------------------------------

_SHIFTS = "add_days", "add_weeks", "add_months", "add_years"
_WEEKDAY_OPERATIONS = "next_weekday", "last_weekday", "this_week", "next_week", "last_week"
_SPANS = "days_between", "weeks_between", "months_between", "years_between"
_ZH_UNITS = {"days": "天", "weeks": "周", "months": "个月", "years": "年"}
_ZH_NAMES = "一二三四五六日"


def run(call: Call, lang: Lang) -> ToolResult:
    """The answer in a sentence and as a bare value: an ISO date, a weekday name, or a count.

    Raises ToolError as run_call says, also for a date outside the years 1 to 9999.
    """
    operation = call["operation"]
    if operation not in ("date", "weekday", *_SHIFTS, *_WEEKDAY_OPERATIONS, *_SPANS):
        raise ToolError(f"no operation {operation!r}; use weekday, add_days or days_between")
    values = [value_of(operand) for operand in call["operands"]]
    needed = 1 if operation in {"date", "weekday"} else 2
    if len(values) != needed:
        raise ToolError(f"{operation} needs {needed} operands")
    if needed == 1:
        return _day_result(operation, _parse_date(values[0]), lang)
    if operation in _SPANS:
        first, second = (_parse_date(value) for value in values)
        span = _span_result(operation.partition("_")[0], min(first, second), max(first, second), lang)
        if second < first:  # "how many days until ...?" of a day that is past
            past = f" {second} lies before {first}." if lang == "en" else f"{second} 早于 {first}。"
            return {"text": span["text"] + past, "value": span["value"]}
        return span
    try:
        result = _compute(operation, values)
    except (OverflowError, ValueError) as error:
        raise ToolError("the date is outside the years 1 to 9999; use a smaller number") from error
    return _date_result(operation, _parse_date(values[0]), _parse_count(values[1]), result, lang)


def _compute(operation: str, values: list[str]) -> date:
    """Raises ToolError for bad values, OverflowError or ValueError outside the years 1-9999."""
    start, number = _parse_date(values[0]), _parse_count(values[1])
    if operation in _WEEKDAY_OPERATIONS:
        return _weekday_date(operation, start, number)
    unit = operation.removeprefix("add_")
    if unit in {"days", "weeks"}:
        return start + timedelta(days=number * (7 if unit == "weeks" else 1))
    return add_months(start, number * (12 if unit == "years" else 1))


def _weekday_date(operation: str, start: date, number: int) -> date:
    if not 1 <= number <= 7:
        raise ToolError("a weekday is a number from 1 (Monday) to 7 (Sunday)")
    today = start.isoweekday()
    if operation == "next_weekday":
        days = (number - today - 1) % 7 + 1
    elif operation == "last_weekday":
        days = -((today - number - 1) % 7 + 1)
    else:
        days = number - today + {"this_week": 0, "next_week": 7, "last_week": -7}[operation]
    return start + timedelta(days=days)


def add_months(start: date, months: int) -> date:
    """The same day months later (earlier if negative), or the last day of a shorter month.

    Raises ValueError or OverflowError outside the years 1 to 9999.
    """
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError("year out of range")
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def _whole_months(first: date, last: date) -> int:
    months = (last.year - first.year) * 12 + last.month - first.month
    return months - (add_months(first, months) > last)


def _parse_date(text: str) -> date:
    """Raises ToolError unless text is, or holds exactly one, complete date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        days = [span.to_date() for span in find_dates(text)]
    if len(days) != 1 or days[0] is None:
        raise ToolError(f"cannot read {text!r} as one complete date; write it as 2026-03-01")
    return days[0]


def _parse_count(text: str) -> int:
    found = find_numbers(text)
    if len(found) != 1 or not is_whole(found[0].value) or found[0].unit == "%":
        raise ToolError(f"cannot read {text!r} as a whole number; write it in digits")
    if abs(found[0].value) > 10**7:
        raise ToolError("the number is too large for a calendar; use a smaller one")
    return int(found[0].value)


def _name(day: date, lang: Lang) -> str:
    if lang == "zh":
        return "星期" + _ZH_NAMES[day.isoweekday() - 1]
    return _WEEKDAYS[day.isoweekday() - 1].capitalize()


def _day_result(operation: str, day: date, lang: Lang) -> ToolResult:
    name = _name(day, lang)
    if operation == "date":
        text = f"日期是 {day}（{name}）。" if lang == "zh" else f"The date is {name}, {day}."
        return {"text": text, "value": day.isoformat()}
    text = f"{day} 是{name}。" if lang == "zh" else f"{day} is a {name}."
    return {"text": text, "value": name}


def _date_result(operation: str, start: date, number: int, day: date, lang: Lang) -> ToolResult:
    describe = _describe_zh if lang == "zh" else _describe_en
    what, name = describe(operation, start, number, day), _name(day, lang)
    text = f"{what}是 {day}（{name}）。" if lang == "zh" else f"{what} is {name}, {day}."
    return {"text": text, "value": day.isoformat()}


def _describe_en(operation: str, start: date, number: int, day: date) -> str:
    if operation in _SHIFTS:
        unit = operation.removeprefix("add_")
        side = "before" if number < 0 else "after"
        return f"{_plural(abs(number), unit)} {side} {start}"
    name = _name(day, "en")
    if operation == "next_weekday":
        return f"The first {name} after {start}"
    if operation == "last_weekday":
        return f"The last {name} before {start}"
    week = {"this_week": "week of", "next_week": "week after that of"}
    return f"The {name} of the {week.get(operation, 'week before that of')} {start}"


def _describe_zh(operation: str, start: date, number: int, day: date) -> str:
    if operation in _SHIFTS:
        unit = _ZH_UNITS[operation.removeprefix("add_")]
        return f"{start} 之{'前' if number < 0 else '后'} {abs(number)} {unit}"
    name = _name(day, "zh")
    if operation == "next_weekday":
        return f"{start} 之后的第一个{name}"
    if operation == "last_weekday":
        return f"{start} 之前的最后一个{name}"
    week = {"this_week": "所在周", "next_week": "下一周"}.get(operation, "上一周")
    return f"{start} {week}的{name}"


def _plural(count: int, unit: str) -> str:
    return f"{count} {unit if count != 1 else unit[:-1]}"


def _span_result(unit: str, first: date, last: date, lang: Lang) -> ToolResult:
    days = (last - first).days
    if unit == "days":
        count, rest = days, 0
    elif unit == "weeks":
        count, rest = divmod(days, 7)
    else:
        months = 12 if unit == "years" else 1
        count = _whole_months(first, last) // months
        rest = (last - add_months(first, count * months)).days
    if lang == "zh":
        extra = f"零 {rest} 天" if rest else ""
        text = f"从 {first} 到 {last} 有 {count} {_ZH_UNITS[unit]}{extra}。"
    else:
        extra = f" and {_plural(rest, 'days')}" if rest else ""
        text = f"From {first} to {last} it is {_plural(count, unit)}{extra}."
    return {"text": text, "value": str(count)}
