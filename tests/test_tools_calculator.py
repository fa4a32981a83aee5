"""Arithmetic: which questions are read, what they come to, and which are left alone."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import ToolError, read_call, run_call
from tools.arithmetic import evaluate
from tools.base import Call, Lang, Operand

TODAY = date(2026, 3, 4)
LANGS: tuple[Lang, ...] = ("en", "zh")

ANSWERS = [
    ("what is 12*(3+4)?", "84"),
    ("1+1=?", "2"),
    ("2^10", "1024"),
    ("-2^2 + 1", "-3"),
    ("10 ÷ 4", "2.5"),
    ("what is 1/3", "0.3333333333"),
    ("what is 0.1 + 0.2?", "0.3"),
    ("√16 + 2 =", "6"),
    ("what is the square root of 2", "1.414213562"),
    ("what is twenty-five times four?", "100"),
    ("what is two plus two", "4"),
    ("what is 2 million divided by 4", "500000"),
    ("What is $500 + $300?", "800"),
    ("what is 7% of 3400", "238"),
    ("what is 7 percent of 3,400?", "238"),
    ("what is the sum of 3 and 4?", "7"),
    ("difference between 10 and 13.5", "3.5"),
    ("3400 的百分之七是多少", "238"),
    ("3400的7%是多少？", "238"),
    ("三加五等于几", "8"),
    ("一百二十三乘以四是多少", "492"),
    ("3万加5万是多少", "80000"),
    ("五十减去八等于多少", "42"),
    ("９的平方是多少", "81"),
    ("3400和2900相差多少", "500"),
]

PHRASES = [
    ("15 percent of the budget", "percent_of", ["15", "<the budget>"]),
    ("how much is 20 times the monthly payment", "multiply", ["20", "<the monthly payment>"]),
    ("what is half of the budget?", "multiply", ["0.5", "<the budget>"]),
    ("What is 7% of the Berlin Office budget?", "percent_of", ["7", "<the Berlin Office budget>"]),
    (
        "What is the difference in price between Alpha and Beta?",
        "difference",
        ["<the price of Alpha>", "<the price of Beta>"],
    ),
    ("difference between the price and the cost", "difference", ["<the price>", "<the cost>"]),
    ("项目预算的百分之十五是多少", "percent_of", ["15", "<项目预算>"]),
    ("月供的20倍是多少", "multiply", ["20", "<月供>"]),
    ("房租乘以12是多少", "multiply", ["<房租>", "12"]),
    ("甲方案和乙方案的价格相差多少", "difference", ["<甲方案的价格>", "<乙方案的价格>"]),
    ("收入比支出多多少", "subtract", ["<收入>", "<支出>"]),
]

LEFT_ALONE = [
    "",
    "Who won the 1998 world cup?",
    "What did the 7% tax pay for?",
    "What is 7% of the tax used for?",
    "What is the difference between TCP and UDP?",
    "What is the difference between price and cost?",
    "How many people live in Berlin?",
    "How much is the monthly payment?",
    "What is 9/11?",
    "What is 1.2.3?",
    "What is 2007-10-02?",
    "What is the New York Times?",
    "Python 3.11.7",
    "1998-2007",
    "555-1234",
    "200 + 10%",
    "2007年发生了什么",
    "15%的预算用于什么",
    "A和B相差多少",
    "北京和上海相差多少公里",
    "月供是多少",
    "A和B有什么区别",
]


def shown(operand: Operand) -> str:
    return operand["value"] or f"<{operand['phrase']}>"


@pytest.mark.parametrize(("question", "value"), ANSWERS)
def test_answer(question: str, value: str) -> None:
    call = read_call(question, TODAY)
    assert call is not None
    for lang in LANGS:
        result = run_call(call, lang)
        assert result["value"] == value
        assert value in result["text"]
        assert result["text"].endswith("." if lang == "en" else "。")


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
    operands: list[Operand] = [{"kind": "number", "value": value, "phrase": None} for value in values]
    return {"tool": "calculator", "operation": operation, "operands": operands}


@pytest.mark.parametrize(
    ("operation", "values", "value"),
    [
        ("percent_of", ["15", "$3,400"], "510"),
        ("percent_of", ["7%", "3400 元"], "238"),
        ("multiply", ["20", "两千五百元"], "50000"),
        ("multiply", ["10%", "50"], "5"),
        ("difference", ["3", "10"], "7"),
        ("divide", ["1", "8"], "0.125"),
    ],
)
def test_looked_up_values(operation: str, values: list[str], value: str) -> None:
    assert run_call(call_of(operation, *values), "en")["value"] == value


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("evaluate", ["1/0"]),
        ("evaluate", ["0^(0-1)"]),
        ("evaluate", ["9^9^9"]),
        ("evaluate", ["10^31"]),
        ("evaluate", ["2^0.5"]),
        ("evaluate", ["sqrt(-1)"]),
        ("evaluate", ["200 + 10%"]),
        ("evaluate", ["2 +"]),
        ("evaluate", ["(" * 100 + "1" + ")" * 100]),
        ("evaluate", ["__import__('os')"]),
        ("evaluate", ["1" * 500]),
        ("divide", ["1", "0"]),
        ("add", ["5 km", "3 kg"]),
        ("add", ["200", "10%"]),
        ("add", ["between 3 and 4", "5"]),
        ("add", ["unknown", "5"]),
        ("add", ["5"]),
        ("cube", ["5", "6"]),
    ],
)
def test_error(operation: str, values: list[str]) -> None:
    with pytest.raises(ToolError):
        run_call(call_of(operation, *values), "en")


def test_unknown_tool() -> None:
    call = call_of("add", "1", "2")
    call["tool"] = "abacus"
    with pytest.raises(ToolError, match="calculator"):
        run_call(call, "en")


def test_a_power_of_one_may_be_large() -> None:
    assert evaluate("(0-1)^123456789") == -1
    assert evaluate("0^0") == 1


NUMBERS = st.integers(0, 10**6).map(lambda value: (str(value), Fraction(value)))


def combine(children: st.SearchStrategy[tuple[str, Fraction]]) -> st.SearchStrategy[object]:
    def join(parts: tuple[tuple[str, Fraction], str, tuple[str, Fraction]]) -> object:
        (left, a), operator, (right, b) = parts
        if operator == "/" and b == 0:
            operator = "+"
        value = {"+": a + b, "-": a - b, "*": a * b}.get(operator)
        return f"({left} {operator} {right})", a / b if value is None else value

    return st.tuples(children, st.sampled_from("+-*/"), children).map(join)


@given(st.recursive(NUMBERS, combine, max_leaves=8))
def test_expressions_agree_with_fractions(pair: tuple[str, Fraction]) -> None:
    assert evaluate(pair[0]) == pair[1]


@given(st.one_of(st.text(), st.text("0123456789+-*/^()%. 的和是多少加减")))
def test_any_text_is_survived(text: str) -> None:
    call = read_call(text, TODAY)
    if call is not None:
        try:
            run_call(call, "zh")
        except ToolError as error:
            assert str(error)
