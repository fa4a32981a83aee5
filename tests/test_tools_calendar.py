"""Calendar questions: which are read, what they come to, and which are left alone."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import ToolError, read_call, run_call
from tools.base import Call, Operand
from tools.calendar import add_months

TODAY = date(2026, 3, 4)  # a Wednesday

ANSWERS = [
    ("what is the date today", "2026-03-04"),
    ("What's today's date?", "2026-03-04"),
    ("What is the date tomorrow?", "2026-03-05"),
    ("what date is next Sunday?", "2026-03-08"),
    ("when is next Wednesday?", "2026-03-11"),
    ("what date was last Friday?", "2026-02-27"),
    ("what date is this Monday", "2026-03-02"),
    ("what day of the week is 2026-12-25?", "Friday"),
    ("what day is 31 December 2026?", "Thursday"),
    ("what is the date in 3 weeks", "2026-03-25"),
    ("what date will it be in two months?", "2026-05-04"),
    ("what is the date 10 days ago", "2026-02-22"),
    ("90 days after 2026-03-01", "2026-05-30"),
    ("what date is a week before 1 March 2026", "2026-02-22"),
    ("how many days between 1 March 2026 and 12 May 2026", "72"),
    ("how many days from 2026-05-12 to 2026-03-01?", "72"),
    ("how many days until Christmas", "296"),
    ("how many days until 2026-12-25?", "296"),
    ("How many days until 1 March?", "362"),
    ("how many weeks until 12 May 2026?", "9"),
    ("How many years between 2000-03-05 and 2026-03-04?", "25"),
    ("今天几号", "2026-03-04"),
    ("明天是几号？", "2026-03-05"),
    ("下周日是几号", "2026-03-15"),
    ("这周五是几号", "2026-03-06"),
    ("上个星期一是几月几号", "2026-02-23"),
    ("三天后是几号", "2026-03-07"),
    ("两周前是几号", "2026-02-18"),
    ("2026年3月1日之后90天是哪天", "2026-05-30"),
    ("从2026年3月1日起90天后是几号", "2026-05-30"),
    ("2026年3月1日到2026年5月12日有多少天", "72"),
    ("2026年3月1日和2026年5月12日相差几个月", "2"),
    ("距离2026年底还有多少天", "302"),
    ("离圣诞节还有几天", "296"),
]

PHRASES = [
    (
        "how many days from the contract date to the deadline?",
        "days_between",
        ["<the contract date>", "<the deadline>"],
    ),
    ("How long until my birthday?", "days_between", ["2026-03-04", "<my birthday>"]),
    (
        "what date is 90 days after the ACME signing date",
        "add_days",
        ["<the ACME signing date>", "90"],
    ),
    ("从签约日到截止日有多少天", "days_between", ["<签约日>", "<截止日>"]),
    ("合同签订日之后30天是哪一天", "add_days", ["<合同签订日>", "30"]),
]

LEFT_ALONE = [
    "",
    "When was the treaty signed?",
    "How many days did the strike last?",
    "What is the date of the contract?",
    "What day is the wedding?",
    "when is Thanksgiving",
    "how long is the Nile from source to sea",
    "How many days are there in March?",
    "How many days since the treaty was signed?",
    "what day is 30 February 2026?",
    "战争持续了多少天",
    "会议是什么时候",
    "从北京到上海有多少天",
    "2007年发生了什么",
]


def shown(operand: Operand) -> str:
    return operand["value"] or f"<{operand['phrase']}>"


@pytest.mark.parametrize(("question", "value"), ANSWERS)
def test_answer(question: str, value: str) -> None:
    call = read_call(question, TODAY)
    assert call is not None
    result = run_call(call, "en")
    assert result["value"] == value
    assert value in result["text"]
    assert run_call(call, "zh")["text"].endswith("。")


def test_chinese_weekday() -> None:
    call = read_call("2026年12月25日是星期几", TODAY)
    assert call is not None
    assert run_call(call, "zh") == {"text": "2026-12-25 是星期五。", "value": "星期五"}


@pytest.mark.parametrize(("question", "operation", "operands"), PHRASES)
def test_phrase(question: str, operation: str, operands: list[str]) -> None:
    call = read_call(question, TODAY)
    assert call is not None
    assert (call["operation"], [shown(item) for item in call["operands"]]) == (operation, operands)
    with pytest.raises(ToolError, match="look up"):
        run_call(call, "en")


@pytest.mark.parametrize("question", LEFT_ALONE)
def test_left_alone(question: str) -> None:
    assert read_call(question, TODAY) is None


def call_of(operation: str, *values: str) -> Call:
    operands: list[Operand] = [{"kind": "date", "value": value, "phrase": None} for value in values]
    return {"tool": "calendar", "operation": operation, "operands": operands}


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("weekday", ["some day"]),
        ("weekday", ["October 2007"]),
        ("weekday", []),
        ("add_days", ["2026-03-01", "99999999999"]),
        ("add_days", ["2026-03-01", "9999999"]),
        ("add_years", ["2026-03-01", "9000"]),
        ("add_days", ["2026-03-01", "1.5"]),
        ("next_weekday", ["2026-03-01", "8"]),
        ("moon_phase", ["2026-03-01"]),
    ],
)
def test_error(operation: str, values: list[str]) -> None:
    with pytest.raises(ToolError):
        run_call(call_of(operation, *values), "en")


def test_looked_up_dates() -> None:
    result = run_call(call_of("days_between", "1 March 2026", "2026年5月12日"), "en")
    assert result["text"] == "From 2026-03-01 to 2026-05-12 it is 72 days."


def test_month_ends_are_kept_inside_the_month() -> None:
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2024, 3, 31), -1) == date(2024, 2, 29)


DAYS = st.dates(date(1950, 1, 1), date(2090, 12, 31))


@given(DAYS, st.integers(1, 7))
def test_next_and_last_weekday(day: date, number: int) -> None:
    after = date.fromisoformat(run_call(call_of("next_weekday", day.isoformat(), str(number)), "en")["value"])
    before = date.fromisoformat(
        run_call(call_of("last_weekday", day.isoformat(), str(number)), "en")["value"]
    )
    assert after.isoweekday() == before.isoweekday() == number
    assert day < after <= day + timedelta(7)
    assert day - timedelta(7) <= before < day


@given(DAYS, DAYS)
def test_spans_add_up(first: date, last: date) -> None:
    first, last = sorted((first, last))
    months = int(run_call(call_of("months_between", first.isoformat(), last.isoformat()), "zh")["value"])
    assert add_months(first, months) <= last < add_months(first, months + 1)


PIECES = (
    "how many days what date is between until and in 3 weeks ago after 2026-03-01 "
    "9999-12-31 99999999 next Sunday years 从 到 天后 是几号 有多少天 下周日"
)


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(PIECES.split())).map(" ".join),
    ),
    st.dates(),
)
def test_any_text_is_survived(text: str, today: date) -> None:
    call = read_call(text, today)
    if call is not None:
        try:
            run_call(call, "en")
        except ToolError as error:
            assert str(error)
