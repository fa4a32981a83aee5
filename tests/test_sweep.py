"""Whole-document questions: which they are, which document they mean, and exact spans for what they want."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import asking
from agent.listing import MOST_ITEMS, list_items
from agent.speakers import statements
from agent.summary import parts, summarise
from agent.sweep import THIS, Sweep, sweep_of, target_documents

DOCUMENTS = [
    (1, "/n/lease.pdf", "Lease agreement"),
    (2, "/n/podcast-transcript.zh.txt", "AI 的未来"),
    (3, "/n/会议纪要.md", ""),
]
PIECES = st.sampled_from(
    [
        "# Models\n",
        "A model is small. ",
        "模型很大，也很贵。",
        "\n\n",
        "\n",
        "- item one\n",
        "Ann Lee: We agree on it.\n",
        "李明：我们认为开源很好。\n",
        "```\nx = 1\n```\n",
        "| a | b |\n",
        "word " * 60,
        "字" * 170,
        "🙂",
        "Who? ",
        "2024-05-01 ",
    ]
)
MIXED = st.lists(PIECES, max_size=40).map("".join)


@pytest.mark.parametrize(
    ("question", "kind", "subject", "named"),
    [
        ("Summarise this", "summary", "", THIS),
        ("tl;dr", "summary", "", ""),
        ("Give me an overview of notes.md", "summary", "", "notes.md"),
        ("What is this document about?", "summary", "", THIS),
        ("Summarize the DeepSeek podcast with a focus on agents", "summary", "agents", "DeepSeek podcast"),
        ("总结一下", "summary", "", ""),
        ("帮我总结一下会议纪要.md", "summary", "", "会议纪要.md"),
        ("這份文件講了什麼？", "summary", "", THIS),
        ("《长夜》的主要内容是什么", "summary", "", "长夜"),
        ("List every deadline in contract.pdf", "list", "deadline", "contract.pdf"),
        ("Which models are mentioned in this article?", "list", "models", THIS),
        ("列出所有的模型", "list", "模型", ""),
        ("文中提到了哪些公司？", "list", "公司", THIS),
        ("Who said what?", "speakers", "", ""),
        ("What did each speaker say about copyright?", "speakers", "copyright", ""),
        ("誰說了什麼", "speakers", "", ""),
        ("嘉宾们对自动驾驶分别怎么看", "speakers", "自动驾驶", ""),
    ],
)
def test_whole_document_questions(question: str, kind: str, subject: str, named: str) -> None:
    sweep = sweep_of(question)
    assert sweep is not None
    assert (sweep.kind, sweep.subject, sweep.named) == (kind, subject, named)


@pytest.mark.parametrize("known", [asking.SUMMARY_EN, asking.LIST_EN, asking.SPEAKERS_EN])
def test_each_english_wording_knows_its_question(known: dict[str, str]) -> None:
    assert [q for q, wording in known.items() if not asking.english(wording).search(q)] == []
    assert all(sweep_of(question) for question in known)


@pytest.mark.parametrize("known", [asking.SUMMARY_ZH, asking.LIST_ZH, asking.SPEAKERS_ZH])
def test_each_chinese_wording_knows_its_question(known: dict[str, str]) -> None:
    assert [q for q, wording in known.items() if not asking.chinese(wording).search(q)] == []
    assert all(sweep_of(question) for question in known)


@pytest.mark.parametrize(
    "question",
    [
        "Who said that the bridge would close?",
        "What did Luther say about faith?",
        "When was the summary published?",
        "What are the main causes of the war?",
        "谁说凡是迟到的人都要罚款？",
        "他总结了哪三点？",
        "《长夜》的作者是谁？",
        "合同哪天到期？",
    ],
)
def test_ordinary_questions_are_none(question: str) -> None:
    assert sweep_of(question) is None


def test_one_speaker_may_be_asked_about() -> None:
    sweep = sweep_of("张奇在访谈中说了什么？")
    assert sweep is not None and sweep.speaker == "张奇"


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("lease.pdf", [1]),
        ("LEASE", [1]),
        ("lease agreement", [1]),
        ("播客文字稿", [2]),
        ("会议纪要", [3]),
        ("causes of the war", []),
    ],
)
def test_a_document_is_known_by_its_name(named: str, expected: list[int]) -> None:
    assert target_documents(Sweep("summary", "en", named=named), DOCUMENTS, []) == expected


def test_this_is_the_latest_cited_or_the_only_one() -> None:
    this = Sweep("summary", "en", named=THIS)
    assert target_documents(this, DOCUMENTS, [9, 3, 1]) == [3]
    assert target_documents(this, DOCUMENTS[:1], []) == [1]


def test_what_stays_ambiguous_is_asked_in_the_language_of_the_question() -> None:
    english = target_documents(Sweep("summary", "en"), DOCUMENTS, [])
    chinese = target_documents(Sweep("summary", "zh"), DOCUMENTS, [])
    assert isinstance(english, str) and "lease.pdf" in english
    assert isinstance(chinese, str) and chinese.startswith("请说明")


def test_a_list_may_sweep_a_small_library() -> None:
    sweep = Sweep("list", "en", "dates")
    assert target_documents(sweep, DOCUMENTS, []) == [1, 2, 3]
    assert isinstance(target_documents(sweep, DOCUMENTS, [], {1: 10**6}), str)


@settings(deadline=None)
@given(MIXED, st.integers(1, 30), st.integers(1, 500))
def test_parts_cover_a_text(text: str, limit: int, least: int) -> None:
    spans = parts(text, limit, least)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(left[1] == right[0] for left, right in pairwise(spans))
    assert len(spans) <= limit
    assert len(spans) <= 1 or all(end - start >= least for start, end in spans)


@settings(deadline=None)
@given(MIXED, st.integers(0, 8), st.sampled_from(["", "model", "模型"]))
def test_summaries_are_spans_in_order(text: str, count: int, focus: str) -> None:
    spans = summarise(text, "en", count, focus)
    assert len(spans) <= count and spans == sorted(spans)
    assert all(0 <= start < end <= len(text) and text[start:end].strip() for start, end in spans)


@settings(deadline=None)
@given(MIXED, st.sampled_from(["model", "模型", "dates", "日期", "questions", "人名", "links", "item"]))
def test_lists_and_statements_are_spans(text: str, subject: str) -> None:
    items = list_items(text, subject, "en")
    assert all(a <= start < end <= b for item in items for a, b in [item.place] for start, end in item.values)
    spans = [*(item.place for item in items), *(span for _, span in statements(text, "en"))]
    assert all(0 <= start < end <= len(text) and text[start:end].strip() for start, end in spans)
    assert len(items) <= MOST_ITEMS


def test_a_summary_avoids_headings_code_and_questions() -> None:
    text = (
        "# The bridge and the river\n\nThe old bridge over the river carries nine thousand cars on each working day.\n\n"
        "Is the bridge over the river still safe for cars?\n\n```\nbridge = river(cars)\n```\n\n"
        "Engineers found rust in the bridge, so the city will close it to all cars in March.\n"
    )
    assert [text[start:end].split()[0] for start, end in summarise(text, "en", 5)] == ["The", "Engineers"]


def test_a_focus_that_nothing_speaks_of_gives_no_summary() -> None:
    assert (
        summarise("The old bridge over the river carries nine thousand cars each day.", "en", 3, "penguins")
        == []
    )


def listed(text: str, subject: str) -> list[str]:
    """The items as they are shown, with the place where it is not the item."""
    found = []
    for item in list_items(text, subject, "en"):
        values = " · ".join(text[a:b] for a, b in item.values)
        found.append(f"{values} — {text[slice(*item.place)]}" if values else text[slice(*item.place)])
    return found


def test_items_stand_under_a_heading_or_after_a_colon() -> None:
    text = "# Risks\n\n- fire\n- flood\n\n# Costs\n\n- rent\n\n我们用的模型：\n- 甲型\n- 乙型\n\n结束。\n- 别的\n"
    assert listed(text, "risks") == ["- fire", "- flood"]
    assert [item for item in listed(text, "模型") if item[0] == "-"] == ["- 甲型", "- 乙型"]


DUE = "The rent is due by 3 May 2024."
TASKS = "- [ ] call the mill\n- [x] pay the rent\nTODO: buy rope\n待办：交水费\nWe said TODO later.\n"


@pytest.mark.parametrize(
    ("text", "subject", "items"),
    [
        (f"{DUE} The flat is bright.", "deadlines", [f"3 May 2024 — {DUE}"]),
        ("It began on 1 May 2024 and ends before 2 June 2025.", "deadlines", ["2 June 2025 — It began on 1 May 2024 and ends before 2 June 2025."]),
        ("请在5月9日前读完。4月1日开会。", "截止日期", ["5月9日 — 请在5月9日前读完。"]),
        ("费用为 300 元。很贵。", "金额", ["300 元 — 费用为 300 元。"]),
        ("It costs $5 or 4 euros. It is red.", "prices", ["$5 · 4 euros — It costs $5 or 4 euros."]),
        ("Sales grew by 7%. It was 2024.", "percentages", ["7% — Sales grew by 7%."]),
        ("1. We sold 12 cars on 3 May 2024.\n一切都好。", "numbers", ["12 — 1. We sold 12 cars on 3 May 2024."]),
        ("See https://example.org/a or ann@example.org now.", "links", ["https://example.org/a"]),
        ("See https://example.org/a or ann@example.org now.", "email addresses", ["ann@example.org"]),
        ("# One\ntext\n## 二\n```\n# no\n```\n第三章 结论\n", "headings", ["# One", "## 二", "第三章 结论"]),
        (TASKS, "tasks", ["- [ ] call the mill", "- [x] pay the rent", "TODO: buy rope", "待办：交水费", "TODO later."]),
        (TASKS, "未完成的任务", ["- [ ] call the mill", "TODO: buy rope", "待办：交水费", "TODO later."]),
        (TASKS, "completed tasks", ["- [x] pay the rent"]),
        ("We met Ann Lee and Dr. Brown in New York. Ann Lee left.", "people", ["Ann Lee", "Brown"]),
        ("所以山姆·阿尔特曼也承认，张捷和王志刚都在。", "人名", ["山姆·阿尔特曼", "张捷", "王志刚"]),
        ("We use tools such as Vim, Git and Make. It rains.", "tools", ["Vim · Git · Make — We use tools such as Vim, Git and Make."]),
        ("我常用甲鱼、乙鸟和Git等AI工具。", "工具", ["甲鱼 · 乙鸟 · Git — 我常用甲鱼、乙鸟和Git等AI工具。"]),
        ("我們的模型包括甲型、乙型和丙型。", "模型", ["甲型 · 乙型 · 丙型 — 我們的模型包括甲型、乙型和丙型。"]),
    ],
)  # fmt: skip
def test_an_item_comes_first_and_then_its_place(text: str, subject: str, items: list[str]) -> None:
    assert listed(text, subject) == items


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        (
            "**Ann Lee** (10:23): We must cut costs.\n\n**Bob** (10:24): I disagree with that.\n",
            ["Ann Lee", "Bob"],
        ),
        ("[00:01:02] Maria: the pump fails\n[00:01:09] Jon: replace the seal\n", ["Maria", "Jon"]),
        ("Q: What is the plan?\nA: We open two stores.\n", ["Q", "A"]),
        ("主持人：今天谈开源。\n李明：我认为开源很好。\n主持人：谢谢。\n", ["主持人", "李明"]),
        ("- 沈欣：太快了。\n\n- 张善友：成本越来越低。\n", ["沈欣", "张善友"]),
        ("王小明表示，他不同意這個看法。李強認為這很好。", ["王小明", "李強"]),
        (
            "Jane Smith said that the bridge will close. “Never,” said Peter Brown.",
            ["Jane Smith", "Peter Brown"],
        ),
        ("Date: 2020\nNote: this is a plain text.\n研究方向：国内一直在做。\n", []),
    ],
)
def test_speakers_in_order(text: str, speakers: list[str]) -> None:
    assert list(dict.fromkeys(name for name, _ in statements(text, "en"))) == speakers


def test_statements_on_a_topic_by_one_speaker() -> None:
    text = "李明：开源模型很好。\n王红：开源太贵了。\n李明：今天天气不错。\n"
    assert [(name, text[s:e]) for name, (s, e) in statements(text, "zh", "开源", "李明")] == [
        ("李明", "开源模型很好。")
    ]
