"""Numbers in text: forms, units, spans, and what must not count as a number."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.linear import assert_linear
from tools.numbers import closing_zeros, find_numbers, is_whole, parse_chinese, parse_english

FORMS = [
    ("costs 1,024 in all", "1,024", "1024", ""),
    ("3.5", "3.5", "3.5", ""),
    ("it was -2 then", "-2", "-2", ""),
    ("温度为-2", "-2", "-2", ""),
    ("1e6", "1e6", "1000000", ""),
    ("7 % more", "7 %", "7", "%"),
    ("7％", "7％", "7", "%"),
    ("7 percent", "7 percent", "7", "%"),
    ("占百分之七。", "百分之七", "7", "%"),
    ("百分之百", "百分之百", "100", "%"),
    ("千分之三", "千分之三", "0.3", "%"),
    ("约七成受访者", "七成", "70", "%"),
    ("七成五", "七成五", "75", "%"),
    ("１，０２４人", "１，０２４人", "1024", "person"),
    ("三千四百", "三千四百", "3400", ""),
    ("两万五", "两万五", "25000", ""),
    ("一百零五", "一百零五", "105", ""),
    ("1.2亿元", "1.2亿元", "120000000", "cny"),
    ("3万", "3万", "30000", ""),
    ("5000万", "5000万", "50000000", ""),
    ("3万5千", "3万5千", "35000", ""),
    ("人民币壹万贰仟元", "壹万贰仟元", "12000", "cny"),
    ("twenty-five", "twenty-five", "25", ""),
    ("3 million people", "3 million people", "3000000", "person"),
    ("two hundred and five", "two hundred and five", "205", ""),
    ("a hundred", "a hundred", "100", ""),
    ("one hour", "one hour", "1", "h"),
    ("one second later", "one second", "1", "s"),
    ("$5M", "$5M", "5000000", "usd"),
    ("€3.5bn", "€3.5bn", "3500000000", "eur"),
    ("100 USD", "100 USD", "100", "usd"),
    ("300美元", "300美元", "300", "usd"),
    ("5 kilometres", "5 kilometres", "5", "km"),
    ("三公里", "三公里", "3", "km"),
    ("3千米", "3千米", "3", "km"),
    ("2 公斤", "2 公斤", "2", "kg"),
    ("20摄氏度", "20摄氏度", "20", "°c"),
    ("三年", "三年", "3", "year"),
    ("a 5-year plan", "5-year", "5", "year"),
    ("2007年", "2007", "2007", ""),
    ("二〇〇七年", "二〇〇七", "2007", ""),
    ("三个", "三", "3", ""),
    ("the 1st", "1st", "1", "ordinal"),
    ("second place", "second", "2", "ordinal"),
    ("twenty-first", "twenty-first", "21", "ordinal"),
    ("第三", "第三", "3", "ordinal"),
]

NOT_NUMBERS = [
    "",
    "一些 一样 统一 一直 万一 这一天 千万不要 十分 一一 三三两两",
    "十几个",
    "几百人",
    "数十万人",
    "三分之一",
    "one of them",
    "hundreds of people",
    "several hundred",
    "half a million",
    "a second later",
    "1.2.3 v1 H2O COVID-19 5G 1a2b",
]


@pytest.mark.parametrize(("text", "span", "value", "unit"), FORMS)
def test_form(text: str, span: str, value: str, unit: str) -> None:
    [number] = find_numbers(text)
    assert (text[number.start : number.end], number.value, number.unit) == (
        span,
        Decimal(value),
        unit,
    )


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_no_number(text: str) -> None:
    assert find_numbers(text) == []


def test_several() -> None:
    text = "两百 or two and three; 2007-10-02"
    assert [int(number.value) for number in find_numbers(text)] == [200, 2, 3, 2007, 10, 2]


@pytest.mark.parametrize("text", ["三四百", "百万", "一百百", "五百千", "", "一" * 50])
def test_ill_formed_numerals(text: str) -> None:
    assert parse_chinese(text) is None


ALPHABET = st.sampled_from(list("0123456789.,-+eE%$ 年月日第成点分之零一二两三十百千万亿个人kmsa１，％"))
PIECES = "a one two twenty hundred thousand million and second - , 5 km"
WORDS = st.lists(st.sampled_from(PIECES.split())).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text(ALPHABET), WORDS))
def test_spans_are_ordered_and_inside(text: str) -> None:
    end = 0
    for number in find_numbers(text):
        assert end <= number.start < number.end <= len(text)
        assert number.value.is_finite()
        end = number.end


@given(st.integers(0, 10**30))
def test_integer_with_commas_is_found(value: int) -> None:
    [number] = find_numbers(f"about {value:,} of them")
    assert number.value == value


def spelled(value: int) -> str:
    """Standard Chinese numeral of 0..99,999,999, written independently of the parser."""
    if value >= 10000:
        high, low = divmod(value, 10000)
        gap = "零" if 0 < low < 1000 else ""
        return spelled(high) + "万" + gap + (spelled(low) if low else "")
    digits, out, zero = f"{value:04d}", "", False
    for digit, scale in zip(digits, "千百十 ", strict=True):
        if digit == "0":
            zero = bool(out)
            continue
        out += ("零" if zero else "") + "零一二三四五六七八九"[int(digit)] + scale.strip()
        zero = False
    return out or "零"


@given(st.integers(0, 99_999_999))
def test_chinese_round_trip(value: int) -> None:
    assert parse_chinese(spelled(value)) == value
    [number] = find_numbers(spelled(value) + "元")
    assert (number.value, number.unit) == (Decimal(value), "cny")


@given(st.integers(1, 99), st.integers(0, 999))
def test_english_round_trip(thousands: int, rest: int) -> None:
    tail = f" {words(rest)}" if rest else ""
    text = f"{words(thousands)} thousand{tail}"
    assert parse_english(text) == thousands * 1000 + rest


ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def words(value: int) -> str:
    ones = ONES.split()
    if value >= 100:
        tail = f" and {words(value % 100)}" if value % 100 else ""
        return f"{ones[value // 100]} hundred{tail}"
    if value < 20:
        return ones[value]
    tens = TENS.split()[value // 10 - 2]
    return tens + (f"-{ones[value % 10]}" if value % 10 else "")


@pytest.mark.parametrize("piece", ["1", "1,234", "一", "1.", "two ", "第", "$ ", "负", "3万5千"])
def test_long_input_is_linear(piece: str) -> None:
    assert_linear(lambda size: find_numbers(piece * size), 25_000 // len(piece))


@pytest.mark.parametrize(
    ("value", "zeros"),
    [("1900", 2), ("1E71", 71), ("9" * 60, 0), ("0", 0), ("3.5", 0), ("-120", 1), ("1000.0", 3)],
)
def test_closing_zeros(value: str, zeros: int) -> None:
    assert closing_zeros(Decimal(value)) == zeros


def test_numbers_of_any_size_are_whole_or_not() -> None:
    assert is_whole(Decimal("1E71")) and is_whole(Decimal("9" * 60))
    assert not is_whole(Decimal("1E-71"))
