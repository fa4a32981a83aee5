"""What a user tells, and which question it answers."""

from __future__ import annotations

import pytest

from agent.statements import answering, key_of_subject, quoted
from agent.telling import stated
from retrieval.records import Record

TOLD = [
    "My deadline is 12 May.",
    "I'm allergic to peanuts",
    "I live in Leiden.",
    "Remember that the spare key is with Ms Okoye",
    "I have two cats",
    "我对花生过敏",
    "我的截止日期是5月12日。",
    "我住在成都",
    "请记住：备用钥匙在王丽那里",
    "我對花生過敏",
    "I can't eat peanuts",
    "I moved to Berlin",
    "我妈妈的生日是1960年3月1日",
    "我女儿叫小雨",
    "我是医生",
    "我不能吃花生",
    "我搬到北京了",
    "我1980年出生",
    "我儿子三岁",
    "我对花生过敏，比较严重",
    "I'm not allergic to nuts",
    "I am diabetic",
    "I've got two cats",
    "My flight leaves at 9:40",
    "My parents live in Rome",
    "我有糖尿病",
    "我體重70公斤",
    "我的航班6月3日起飞",
]
ASKED = [
    "When is my deadline?",
    "Is my deadline in May?",
    "my deadline?",
    "I want a summary of the report",
    "I have a question about the lease",
    "Tell me my deadline",
    "The deadline is 12 May.",
    "我的截止日期是哪天？",
    "我对什么过敏",
    "我想知道租金是多少",
    "总结一下这篇文章",
    "My lease is attached, summarise it.",
    "我不能退押金",
    "我公司在合同中的义务",
    "My boss is asking for the rent paid in 2023.",
    "我的租约附上了，请总结一下",
    "My question is about the rent",
    "I have two quick questions",
    "I'm a bit confused about clause 3",
    "I like the second answer",
    "I live in Rome, what is the notice period",
    "我的问题是关于押金的",
    "我有兩個問題",
    "我喜欢这个答案",
    "我想知道押金",
    "My rent is 900 euros, is that legal",
    "我的租金是900元，合不合理",
    "你好",
    "",
]


@pytest.mark.parametrize("message", TOLD)
def test_a_statement_is_kept_verbatim(message: str) -> None:
    assert stated(message) in (message, message.partition("that ")[2], message.partition("：")[2])


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("By the way, my deadline is 12 May", "my deadline is 12 May"),
        ("Hi! My name is Anna.", "My name is Anna."),
        ("你好，我叫王丽", "我叫王丽"),
        ("順便說一下，我對花生過敏", "我對花生過敏"),
    ],
)
def test_what_opens_a_statement_is_none_of_it(message: str, told: str) -> None:
    assert stated(message) == told


@pytest.mark.parametrize("message", ASKED)
def test_a_question_is_no_statement(message: str) -> None:
    assert stated(message) is None


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("My deadline is 12 May.", "My deadline moved to 19 May."),
        ("My weight is 60 kg.", "My weight is 61 kg"),
        ("I live in Leiden.", "I moved to Berlin"),
        ("我的截止日期是5月12日", "我的截止日期改到5月19日"),
        ("我住在成都", "我搬到北京了"),
    ],
)
def test_a_later_value_takes_the_place_of_an_earlier(earlier: str, later: str) -> None:
    assert key_of_subject(earlier) == key_of_subject(later) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I live in Leiden.", "I live with my parents."),
        ("My sister is Anna.", "My sister is a doctor."),
        ("My lease starts on 1 May 2026.", "My lease ends on 1 May 2027."),
        ("My sister is 30.", "My sister is in Rome."),
        ("I like tea", "I like coffee"),
        ("我喜欢茶", "我喜欢咖啡"),
        ("我的生日是3月1日", "我妈妈的生日是3月2日"),
    ],
)
def test_what_may_hold_at_once_does(one: str, other: str) -> None:
    assert not key_of_subject(one) or key_of_subject(one) != key_of_subject(other)


def record(text: str, at_s: float = 0.0) -> Record:
    return Record(text, "mid", "statement", "", text, {}, at_s, at_s, 0)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("When is my deadline?", "My deadline is 12 May."),
        ("What am I allergic to?", "I'm allergic to peanuts"),
        ("Where do I live?", "I live in Leiden."),
        ("How many cats do I have?", "I have two cats"),
        ("我对什么过敏？", "我对花生过敏"),
        ("我的截止日期是哪天？", "我的截止日期是5月12日。"),
        ("我住在哪里？", "我住在成都"),
    ],
)
def test_a_statement_answers_a_question_of_oneself(question: str, text: str) -> None:
    told = [record(one, -float(n)) for n, one in enumerate(TOLD)]
    found = answering(question, told)
    assert found is not None and found.text == text


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("My rent is due on 1 May.", "When is my rent due?"),
        ("My rent is 900 euros", "How much is my rent?"),
        ("I live with Anna", "Who do I live with?"),
        ("I moved to Berlin", "Which city do I live in?"),
        ("I work for Acme", "Where do I work?"),
        ("My dog is called Rex", "What is my dog's name?"),
        ("My son is 7 years old", "How old is my son?"),
        ("My lease ends on 31 May", "When does my lease end?"),
        ("My car is parked at Level 3", "Where is my car?"),
        ("My deadline is next Friday", "When is my deadline?"),
        ("I don't eat pork", "Do I eat pork?"),
        ("My deadline for the tax return is 12 May.", "When is my deadline?"),
        ("My address is 王府井1号", "What is my address?"),
        ("我妈妈的生日是1960年3月1日", "我妈妈生日是什么时候"),
        ("我叫王丽", "我叫什么名字？"),
        ("我的名字是王丽", "我叫什么？"),
        ("我女儿叫小雨", "我女儿叫什么？"),
        ("我有两只猫", "我有几只猫？"),
        ("我住上海", "我住哪儿？"),
        ("我搬到北京了", "我现在住在哪里？"),
        ("我今年三十岁", "我今年多大？"),
        ("我出生于1980年", "我是哪年出生的？"),
        ("我属虎", "我属什么？"),
        ("我不吃猪肉", "我吃猪肉吗？"),
        ("我在上海工作", "我在哪里上班？"),
        ("我在大通公司上班", "我在哪家公司上班？"),
        ("我儿子三岁", "我儿子几岁？"),
        ("我有一个女儿", "我有几个女儿？"),
        ("我的電話號碼是12345678", "我的電話號碼是多少？"),
        ("我的車位號碼是B12", "我的車位號碼是多少？"),
        ("My flight is at 9:40", "When is my flight?"),
        ("My deadline is 12 May.", "Tell me my deadline"),
        ("My deadline is 12 May.", "What did I say my deadline was?"),
        ("My parents live in Rome", "Where do my parents live?"),
        ("我體重70公斤", "我的体重是多少？"),
        ("我的航班6月3日起飞", "我的航班什么时候起飞？"),
    ],
)
def test_a_statement_answers_what_it_is_of(text: str, question: str) -> None:
    assert answering(question, [record(text)]) is not None


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("My mother's birthday is 1 March 1960.", "When is my birthday?"),
        ("My rent is due on day 1.", "How much is my rent?"),
        ("My rent is always late.", "What is my rent?"),
        ("I live with Anna", "Where do I live?"),
        ("I was born in 1980", "Where was I born?"),
        ("My lease ends on 31 May", "When does my lease start?"),
        ("My sister is a doctor.", "Who is my sister's doctor?"),
        ("I don't eat pork", "What do I eat?"),
        ("我妈妈的生日是1960年3月1日", "我的生日是哪天？"),
        ("我的房租是每月一号交", "我的房租是多少？"),
        ("我的电话号码是12345678", "我的护照号码是多少？"),
        ("我的截止日期是5月12日", "我的报税截止日期是哪天？"),
        ("我女儿叫小雨", "我叫什么名字？"),
        ("我不吃猪肉", "我吃什么？"),
        ("My deadline is 12 May.", "我的deadline是哪天？"),
        ("我的deadline是5月12日", "When is my deadline?"),
        ("My parents live in Rome", "Where do I live?"),
        ("My rent was 900 euros in 2020", "What is my rent?"),
        ("My boss is Anna", "Who is my boss's boss?"),
        ("我父母住在西安", "我住在哪里？"),
    ],
)
def test_a_statement_of_one_thing_answers_nothing_of_another(text: str, question: str) -> None:
    assert answering(question, [record(text)]) is None


@pytest.mark.parametrize(
    "question",
    [
        "When is the deadline?",  # of nobody in particular: for the files
        "When is my deadline for the tax return?",
        "截止日期是哪天？",
        "我的租金是多少？",
    ],
)
def test_no_statement_answers_another_question(question: str) -> None:
    assert answering(question, [record(one) for one in TOLD]) is None


def test_the_newest_counts_and_whose_words_they_are_is_said() -> None:
    told = [record("My deadline is 12 May", 1.0), record("My deadline is 19 May", 2.0)]
    newest = answering("When is my deadline?", told)
    assert newest is told[1]
    assert quoted("it is 3.", 1_772_000_000.0, "en").startswith("You said on ")
    assert quoted("我吃素", 1_772_000_000.0, "zh").endswith("日说过：“我吃素”。")


def test_what_is_of_just_that_goes_before_what_is_of_a_part_of_it() -> None:
    told = [record("My deadline is 12 May", 1.0), record("My deadline for the tax return is 1 April", 2.0)]
    assert answering("When is my deadline?", told) is told[0]
    assert answering("When is my deadline for the tax return?", told) is told[1]
