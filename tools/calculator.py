"""Read and answer arithmetic questions in English and Chinese, exactly and without eval().

Operations: evaluate (one expression), percent_of, multiply, divide, add, subtract and
difference (never negative), each of the last six on two operands.

read is deliberately narrow: a question that merely contains numbers, or asks for a figure, is
not arithmetic. An operand may be a noun phrase ("the budget") only where the wording leaves no
doubt that something is to be computed from it. Units are not converted or carried into the
result. A percentage added to a plain number (200 + 10%) is ambiguous and not
read.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from functools import partial

from .arithmetic import MAX_CHARS, divide, evaluate, limited, mixes_percent, tokens
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
from .numbers import ZH_CHARS, find_numbers, fold, parse_chinese, parse_english
from .patterns import compiled

# --- reading -------------------------------------------------------------------------------

_call = partial(call_of, "calculator")
_LEAD = (
    r"(?:please |can you |could you |tell me |so,? )*"
    r"(?:what(?:'s| is| are|s)|how much (?:is|are)|calculate|compute|work out|evaluate)[ :]+"
)
_ZH_LEAD = r"(?:请问|请|帮我|帮忙|计算一下|计算|算一下|算算|算|求|那么|一下)+[ :,，]*"
_ZH_ASK = r" ?(?:的结果)?(?:是|等于|为|得|=)+ ?(?:多少|几)?(?:钱|元)?$|的结果$"
_DETERMINER = r"(?:the|my|our|your|his|her|its|their|this|that|last|next)"
_QUANTITY = (
    r"\b(?:amounts?|prices?|costs?|budgets?|numbers?|totals?|populations?|revenues?|salar(?:y|ies)"
    r"|rents?|fees?|incomes?|expenses?|payments?|deposits?|balances?|profits?|sales|tax(?:es)?"
    r"|wages?|loans?|debts?|heights?|weights?|lengths?|areas?|ages?|scores?)\b"
)
_ZH_QUANTITY = (
    "金额|价格|价钱|预算|数量|收入|支出|成本|费用|总额|总数|人口|工资|薪水|房租|租金|利润|余额"
    "|月供|首付|贷款|存款|面积|长度|高度|重量|人数|年龄|销售额|营业额|价$|额$|费$|款$|数$"
)
_BAD_PHRASE = (
    r"\b(?:what|who|whom|whose|which|when|where|why|how|is|are|was|were|be|been|did|does|do|has"
    r"|have|had|used|spent|called|paid|will|would|can|could|should|if|because|than)\b"
    r"|\b(?:for|about|from|to|on|in|with|by|of|and|or|at|as)$|[?,;:!]"
)
_ZH_BAD = "什么|为何|谁|哪|吗|呢|如何|怎|多少|几|是否|是|[,，。;；?!、:]"
# Written like sums, but names.
_NAMES = {"9/11", "24/7", "7-11", "7/11", "50/50", "50-50", "4*4", "20/20"}
_EN_OPERATORS = (
    (r"(?:to the power of|raised to)", "^"),
    (r"(?:multiplied by|times)", "*"),
    (r"(?:divided by|over)", "/"),
    (r"plus", "+"),
    (r"minus", "-"),
    (r"squared", "^2"),
    (r"cubed", "^3"),
    (r"(?:the )?square root of", "sqrt"),
    (r"(?:percent|per cent)", "%"),
)
_ZH_OPERATORS = (
    ("乘以|乘上|乘", "*"),
    ("除以", "/"),
    ("加上|加", "+"),
    ("减去|减", "-"),
    ("的平方", "^2"),
    ("的立方", "^3"),
)
_BINARY = {
    "plus": "add",
    "minus": "subtract",
    "times": "multiply",
    "multiplied by": "multiply",
    "divided by": "divide",
    "加上": "add",
    "加": "add",
    "减去": "subtract",
    "减": "subtract",
    "乘以": "multiply",
    "除以": "divide",
}
_FACTORS = {"half of": "0.5", "half": "0.5", "twice": "2", "double": "2", "triple": "3"}
_SUMS = {"sum": "add", "difference": "difference", "product": "multiply"}


def read(question: str, today: date) -> Call | None:
    """The calculation that question asks for, or None. today is not used. Never raises."""
    if len(question) > MAX_QUESTION_CHARS:
        return None
    line = tidy(question)
    text = fold(line)
    asked = text.rstrip("?？=。. ")
    body = compiled(_LEAD).sub("", asked, count=1) if compiled(_LEAD).match(asked) else asked
    lead = body != asked
    if re.search(r"[\u4e00-\u9fff]", body):
        stripped = compiled(_ZH_LEAD).sub("", body, count=1) if compiled(_ZH_LEAD).match(body) else body
        call = _read_chinese(stripped)
        core = compiled(_ZH_ASK).sub("", stripped)
        lead = lead or core != body
    else:
        call, core = _read_english(body, lead), body
    call = call or _read_expression(core, lead or text.endswith("="))
    return with_case(call, line) if call else None


def _read_english(body: str, lead: bool) -> Call | None:
    match = re.fullmatch(r"(\S+(?: \S+){0,4}?) ?(?:%|percent|per cent) of (.+)", body)
    if match:
        limit = 8 if lead else 4
        return _call("percent_of", _number(match[1]), _operand(match[2], limit, strict=not lead))
    match = re.fullmatch(
        r"(?:the )?(sum|difference|product)(?: in ([a-z ]{3,30}))? (?:of|between) (.+) and (.+)",
        body,
    )
    if match:
        return _read_pair(match, lead)
    if not lead:
        return None
    match = re.fullmatch(rf"(half of|half|twice|double|triple) ({_DETERMINER} .+)", body)
    if match:
        return _call("multiply", known("number", _FACTORS[match[1]]), _operand(match[2]))
    match = re.fullmatch(r"(.+?) (plus|minus|times|multiplied by|divided by) (.+)", body)
    return _read_binary(match) if match else None


def _read_pair(match: re.Match[str], lead: bool) -> Call | None:
    name, quantity, left, right = match.groups()
    if " and " in left or " and " in right:
        return None
    if _number(left) and _number(right):
        return _call(_SUMS[name], _number(left), _number(right))
    if quantity:
        if not compiled(_QUANTITY).search(quantity):
            return None
        left, right = (f"the {quantity} of {side}" for side in (left, right))
    elif not all(_number(side) or compiled(_QUANTITY).search(side) for side in (left, right)):
        return None
    return _call(_SUMS[name], _operand(left), _operand(right))


def _read_binary(match: re.Match[str]) -> Call | None:
    left, word, right = match.groups()
    numbers = (_number(left), _number(right))
    if all(numbers):
        return None  # an expression: shown as it was written
    if not numbers[0] and not compiled(_QUANTITY).search(left):
        return None
    if not any(numbers) and not compiled(_QUANTITY).search(right):
        return None
    return _call(_BINARY[word], _operand(left), _operand(right))


def _operand(text: str, max_words: int = 10, strict: bool = True) -> Operand | None:
    """A number or an English noun phrase; a strict one has to start with "the" or the like."""
    number = _number(text)
    if number:
        return number
    if compiled(_BAD_PHRASE).search(text) or len(text.split()) > max_words:
        return None
    if strict and not re.match(_DETERMINER + " [a-z0-9]|[a-z]+'s [a-z]", text):
        return None
    return wanted("number", text) if re.search(r"[a-z]{2}", text) else None


def _number(text: str) -> Operand | None:
    """The operand when text is one number and nothing else (a unit may follow)."""
    text = text.strip()
    found = find_numbers(text)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(text)):
        return known("number", text) if found[0].unit != "ordinal" else None
    value = parse_english(text) if text.isascii() else parse_chinese(text)
    return None if value is None else known("number", str(value))


_ZH_PERCENT = rf"(?:百分之[{ZH_CHARS}点0-9.]{{1,12}}|[0-9.,]{{1,12}} ?%|[一二三四五六七八九]成)"
_ZH_HOW_MUCH = r"(?:是|等于|为)?(?:多少|几)(?:钱|元|块钱|块|人|岁)?"


def _read_chinese(body: str) -> Call | None:
    match = re.fullmatch(rf"(.+?) ?的 ?({_ZH_PERCENT}) ?{_ZH_HOW_MUCH}", body)
    if match:
        return _call("percent_of", _percent(match[2]), _zh_operand(match[1]))
    match = re.fullmatch(rf"({_ZH_PERCENT}) ?的 ?(.+?) ?{_ZH_HOW_MUCH}", body)
    if match:
        return _call("percent_of", _percent(match[1]), _number(match[2]))
    match = re.fullmatch(rf"(.+?)的 ?([0-9.,]+|[{ZH_CHARS}]+) ?倍{_ZH_HOW_MUCH}", body)
    if match:
        return _call("multiply", _number(match[2]), _zh_operand(match[1]))
    return _read_zh_pair(body) or _read_zh_binary(body)


def _read_zh_pair(body: str) -> Call | None:
    match = re.fullmatch(
        rf"(.+?) ?(?:和|与|跟) ?(.+?)(?:之间)?(?:的)?(相差|差|之差是|差额是|之和是|总和是|和是)"
        rf"{_ZH_HOW_MUCH}",
        body,
    )
    if match:
        operation = "difference" if "差" in match[3] else "add"
        return _zh_two(operation, match[1], match[2])
    match = re.fullmatch(rf"(.+?) ?比 ?(.+?) ?(多|少|高|低|贵|便宜){_ZH_HOW_MUCH}", body)
    if not match:
        return None
    left, right = match[1], match[2]
    return _zh_two("subtract", *((left, right) if match[3] in "多高贵" else (right, left)))


def _zh_two(operation: str, left: str, right: str) -> Call | None:
    owner, _, shared = right.rpartition("的")
    if owner and compiled(_ZH_QUANTITY).search(shared) and not compiled(_ZH_QUANTITY).search(left):
        left = f"{left}的{shared}"  # 甲和乙的价格相差多少
    for side in (left, right):
        if not _number(side) and not compiled(_ZH_QUANTITY).search(side):
            return None
    return _call(operation, _zh_operand(left), _zh_operand(right))


def _read_zh_binary(body: str) -> Call | None:
    match = re.fullmatch(rf"(.+?) ?(加上|减去|乘以|除以) ?(.+?) ?{_ZH_HOW_MUCH}", body)
    if not match:
        return None
    left, word, right = match.groups()
    if _number(left) and _number(right):
        return None
    return _zh_two(_BINARY[word], left, right)


def _percent(text: str) -> Operand | None:
    found = find_numbers(text)
    if len(found) != 1 or found[0].unit != "%":
        return None
    return known("number", format(found[0].value, "f"))


def _zh_operand(text: str) -> Operand | None:
    number = _number(text)
    if number:
        return number
    if len(text) > 20 or compiled(_ZH_BAD).search(text) or not re.search(r"[\u4e00-\u9fff]{2}", text):
        return None
    if find_dates(text) and len(text) < 8:
        return None
    return wanted("number", text)


def _read_expression(body: str, lead: bool) -> Call | None:
    if len(body) > MAX_CHARS or body.replace(" ", "") in _NAMES or find_dates(body):
        return None
    expression = _in_symbols(body)
    if not expression or not re.fullmatch(r"(?:[-0-9.,+*/^()% ]|sqrt)+", expression):
        return None
    try:
        items = tokens(expression)
    except ToolError:
        return None
    if not _is_sum(items, body, lead):
        return None
    return _call("evaluate", known("number", expression))


def _is_sum(items: list[str], body: str, lead: bool) -> bool:
    operators = [i for i, item in enumerate(items) if item in {"+", "-", "*", "/", "^"} and i > 0]
    if not (operators or "sqrt" in items) or mixes_percent(items):
        return False
    if not re.search(r"[0-9]", body) and not lead:
        return False
    if any(re.match(r"0[0-9]", item) for item in items):  # 010-1234 is a telephone number
        return False
    tight = re.fullmatch(r"[0-9]+(?:[-/][0-9]+)+", body)  # 1998-2007, 3/4: ask for it in words
    if not operators or items[-1] in {"+", "-", "*", "/", "^"}:
        return "sqrt" in items and items[-1] != "sqrt"
    return lead or not tight


def _in_symbols(body: str) -> str:
    """The expression with words, Chinese numerals and currencies turned into symbols."""
    body = body.replace("×", "*").replace("÷", "/").replace("·", "*").replace("√", "sqrt")
    body = re.sub(r"(?<=[0-9)]) ?x ?(?=[0-9(])", "*", body)
    for pattern, symbol in _EN_OPERATORS:
        body = compiled(rf"\b{pattern}\b").sub(f" {symbol} ", body)
    for pattern, symbol in _ZH_OPERATORS:
        body = compiled(pattern).sub(f" {symbol} ", body)
    body = body.replace(" %", "%").replace("的平方根", "")
    out, end = [], 0
    for number in find_numbers(body):
        written = body[number.start : number.end]
        plain = re.fullmatch(r"-?[0-9.,]+%?", written)
        if plain or number.unit not in {"", "%", "usd", "eur", "gbp", "cny"}:
            continue
        text = format(number.value, "f") + ("%" if number.unit == "%" else "")
        out += [body[end : number.start], f"({text})" if text[0] == "-" else text]
        end = number.end
    body = "".join([*out, body[end:]])
    body = re.sub(rf"[{ZH_CHARS}]+", lambda m: str(parse_chinese(m[0])), body)
    body = re.sub(r"\b(?!sqrt\b)[a-z]+(?:[ -][a-z]+)*\b", lambda m: str(parse_english(m[0])), body)
    return re.sub(r" +", " ", body).strip()


# --- running -------------------------------------------------------------------------------

_EN_TEXT = {
    "percent_of": "{0}% of {1} is{about} {result}.",
    "multiply": "{0} × {1} is{about} {result}.",
    "divide": "{0} ÷ {1} is{about} {result}.",
    "add": "{0} + {1} is{about} {result}.",
    "subtract": "{0} - {1} is{about} {result}.",
    "difference": "The difference between {0} and {1} is{about} {result}.",
    "evaluate": "{0} is{about} {result}.",
}
_ZH_TEXT = {
    "percent_of": "{1} 的 {0}% {about}是 {result}。",
    "multiply": "{0} × {1} {about}等于 {result}。",
    "divide": "{0} ÷ {1} {about}等于 {result}。",
    "add": "{0} + {1} {about}等于 {result}。",
    "subtract": "{0} - {1} {about}等于 {result}。",
    "difference": "{0} 与 {1} 相差{about} {result}。",
    "evaluate": "{0} {about}等于 {result}。",
}
_MAX_DIGITS = 30  # before the decimal point
_SIGNIFICANT = 10


def run(call: Call, lang: Lang) -> ToolResult:
    """The result in words and as a bare number: whole numbers exact, others to 10 digits.

    Operand values may carry a unit ("3,400 元"), which the sentence leaves out. Raises ToolError
    as run_call says, also for operands of two different units in a sum or a difference and for
    results of more than 30 digits before the point.
    """
    operation, operands = call["operation"], call["operands"]
    if operation not in _EN_TEXT:
        raise ToolError(f"no operation {operation!r}; use one of {', '.join(_EN_TEXT)}")
    values = [value_of(operand) for operand in operands]
    if len(values) != (1 if operation == "evaluate" else 2):
        raise ToolError(f"{operation} needs {1 if operation == 'evaluate' else 2} operands")
    if operation == "evaluate":
        shown, value = values, evaluate(fold(values[0]))
    else:
        shown, value = _apply(operation, values)
    result, exact = _written(value)
    about = "" if exact else " about" if lang == "en" else "约"
    template = (_EN_TEXT if lang == "en" else _ZH_TEXT)[operation]
    return {"text": template.format(*shown, about=about, result=result), "value": result}


def _apply(operation: str, values: list[str]) -> tuple[list[str], Fraction]:
    """The operands as the sentence shows them, and the result."""
    (left, left_unit), (right, right_unit) = (_parse(value) for value in values)
    shown = [_written(left)[0], _written(right)[0]]
    if operation == "percent_of":
        left = left / 100
        right = right / 100 if right_unit == "%" else right
        shown[1] += "%" if right_unit == "%" else ""
        return shown, limited(left * right)
    if operation in {"multiply", "divide"}:
        for i, unit in enumerate((left_unit, right_unit)):
            shown[i] += "%" if unit == "%" else ""
        left = left / 100 if left_unit == "%" else left
        right = right / 100 if right_unit == "%" else right
        return shown, limited(left * right if operation == "multiply" else divide(left, right))
    if left_unit and right_unit and left_unit != right_unit:
        raise ToolError(f"{left_unit} and {right_unit} differ; convert one of them first")
    if "%" in {left_unit, right_unit} and left_unit != right_unit:
        raise ToolError("a percentage and a plain number cannot be added; take the percentage first")
    total = left + right if operation == "add" else left - right
    return shown, limited(abs(total) if operation == "difference" else total)


def _parse(text: str) -> tuple[Fraction, str]:
    """Value and unit of an operand; raises ToolError unless text holds exactly one number."""
    if len(text) > MAX_CHARS:
        raise ToolError(f"the operand is over {MAX_CHARS} characters; give just the number")
    found = find_numbers(text)
    if len(found) == 1:
        return limited(Fraction(found[0].value)), found[0].unit
    value = parse_chinese(text) or parse_english(text.lower())
    if found or value is None:
        raise ToolError(f"cannot read {text!r} as one number; write it in digits")
    return Fraction(value), ""


def _written(value: Fraction) -> tuple[str, bool]:
    """Decimal form and whether it is exact. Raises ToolError beyond 30 digits before the point."""
    if abs(value) >= 10**_MAX_DIGITS:
        raise ToolError(f"the result has over {_MAX_DIGITS} digits; use smaller numbers")
    if value.denominator == 1:
        return str(value.numerator), True
    digits = max(_SIGNIFICANT, len(str(abs(int(value)))) + 2)
    rounded = Context(prec=digits).divide(Decimal(value.numerator), Decimal(value.denominator))
    text = format(rounded, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if len(text) > 2 * _MAX_DIGITS:
        raise ToolError("the result is too close to zero to write out; use larger numbers")
    return text, Fraction(rounded) == value
