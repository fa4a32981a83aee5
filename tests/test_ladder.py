"""The ladder: who drafts first, when the next rung is taken, and what ends it. Scripted models, one a rung."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import Agent, Answer, Settings
from agent.deps import build_chat_model, build_deps
from agent.errors import InputError, ModelError
from agent.models.fit import OVERHEAD_BYTES, gpu_bytes, total_layers
from agent.models.gguf import ChatGGUF
from agent.models.hardware import Device
from agent.models.header import read_header
from agent.reasoners.scripted import ScriptedChat
from agent.routes import after_reformulate, first_rung, next_rung, stop_of
from agent.state import Plan
from evals.random_gguf import write_random_gguf
from retrieval.library import Library
from tests.fake_server import serving, silent
from tests.processes import called, environment, forked
from tests.sample import CONTRACT, FALSE, FEE, GOOD, PAID, REWORDED, SIGNED, WRONG, drafted
from tests.test_routes import query, state
from tests.tiny_gguf import CHAT_TEMPLATE

CONTEXT = 512

FRESH = {"queries": ["rent 租金 garden"]}
HARD = [
    ("Why does a bare claim not settle a question?", "explanation"),
    ("为什么要收会费？", "explanation"),
]
# A question that quotations leave open, a sentence that answers it, and the words of its source.
OPEN = [
    (
        "How much must the tenant pay each month?",
        "The tenant must pay $3,400 each month.",
        "monthly rent is $3,400",
    ),
    ("下次会议讨论什么？", "下次会议讨论第三章。", "下一次读第三章"),
]


def citing(sentence: str, words: str) -> Any:
    """A draft that cites whichever passage of the prompt holds the words."""

    def say(messages: list[Any]) -> dict[str, Any]:
        shown = str(messages[-1].text)
        passages = re.findall(r'<passage number="(\d+)".*?>\n(.*?)\n</passage>', shown, re.DOTALL)
        return drafted(sentence, passages=[int(number) for number, text in passages if words in text])

    return say


def scripted(name: str, *replies: Any) -> ScriptedChat:
    return ScriptedChat(name=name, replies=list(replies))


def climb(home: Path, question: str, *models: ScriptedChat | None, **more: Any) -> tuple[Answer, list[str]]:
    """The answer and who drafted, in order; every script is used up."""
    judge = more.pop("judge_model", None)
    settings = Settings(home=home, remember=False, **more)
    with Agent(settings, chat_models=models, judge_model=judge) as agent:
        *events, answer = agent.run(question)
    assert isinstance(answer, Answer)
    assert all(model is None or model.remaining == 0 for model in models), "a reply was not asked for"
    assert not any("no reply left" in note for note in answer.notes)
    return answer, [event["model"] for event in events if event["event"] == "draft"]  # type: ignore[typeddict-item, index]


# --- the rules ------------------------------------------------------------------------------------------


def planned(**changed: Any) -> Plan:
    plan: Plan = {
        "need": "search",
        "lang": "en",
        "answer_type": "date",
        "queries": ["a"],
        "call": None,
        "sweep": None,
        "where": {},
    }
    return {**plan, **changed}  # type: ignore[typeddict-item]


def swept(kind: str) -> dict[str, Any]:
    return {"need": "sweep", "sweep": {"kind": kind, "subject": "", "speaker": "", "documents": [1]}}


@pytest.mark.parametrize(
    ("changed", "hard"),
    [
        ({}, False),
        ({"answer_type": "explanation"}, True),
        ({"answer_type": "summary"}, True),
        ({"queries": ["a", "b"]}, True),
        (swept("summary"), True),
        (swept("list"), False),
        (swept("speakers"), False),
        ({"need": "sweep", "answer_type": "explanation"}, False),
        ({"need": "tool", "answer_type": "explanation"}, False),
        ({"need": "search_then_tool", "queries": ["a", "b"]}, False),
        ({"need": "conversation"}, False),
    ],
)
def test_what_is_hard_begins_on_the_second_rung(changed: dict[str, Any], hard: bool) -> None:
    plan = planned(**changed)
    assert first_rung(plan, 1) == 0 and first_rung(plan, 2) == first_rung(plan, 3) == int(hard)


@given(st.integers(0, 9), st.integers(1, 9))
def test_the_next_rung_is_one_higher_up_to_the_last(rung: int, rungs: int) -> None:
    higher = next_rung(rung, rungs)
    assert higher in (rung, rung + 1) and (higher > rung) is (rung < rungs - 1)


def test_a_higher_rung_drafts_where_nothing_new_is_to_be_searched() -> None:
    assert after_reformulate(state(queries=[], climbed=True)) == "draft"
    assert after_reformulate(state(queries=[], climbed=False)) == "settle"
    assert after_reformulate(state(queries=[query("a")], climbed=True)) == "retrieve"


@pytest.mark.parametrize(
    ("changed", "spent", "alone", "below"),
    [
        ({"evidence": [1], "seen": 1, "round": 1}, {}, "stagnated", ""),
        ({"evidence": [1], "seen": 1, "round": 2}, {}, "stagnated", "rounds"),
        ({"evidence": [1], "seen": 1, "round": 1}, {"tokens": 100}, "stagnated", "tokens"),
        ({"evidence": [1], "seen": 1, "round": 1}, {"seconds": 60.0}, "stagnated", "seconds"),
        ({"evidence": [1, 2, 3], "seen": 3, "round": 1}, {}, "passages", "passages"),
        ({"passed": True}, {"tokens": 100}, "", ""),
    ],
)
def test_budgets_hold_on_every_rung(changed: dict[str, Any], spent: Any, alone: str, below: str) -> None:
    limits, used = Settings(max_tokens=100, max_passages=3), {"seconds": 0.0, "tokens": 0, **spent}
    assert stop_of(state(**changed), limits, used, 1) == alone  # type: ignore[arg-type]
    assert stop_of(state(rung=0, **changed), limits, used, 2) == below  # type: ignore[arg-type]
    assert stop_of(state(rung=1, **changed), limits, used, 2) == alone  # type: ignore[arg-type]


def test_who_writes_and_who_judges(hashed: Library) -> None:
    small, large, other = scripted("small"), scripted("large"), scripted("other")
    deps = build_deps(Settings(), hashed, None, [None, small, large])
    assert [deps.at(n).name for n in range(5)] == ["extractive", "small", "large", "large", "large"]
    assert [deps.judge(n) for n in range(3)] == [deps.at(n) for n in range(3)]
    judged = build_deps(Settings(), hashed, None, [None, small], other)
    assert [judged.judge(n).name for n in range(2)] == ["extractive", "other"]
    assert [one.name for one in judged.writers(1)] == ["small", "other"]
    assert build_deps(Settings(), hashed, None, None, other).judge(0).name == "extractive"


# --- whole runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_what_the_first_rung_answers_costs_no_model(home: Path, question: str) -> None:
    answer, drafts = climb(home, question, None, scripted("small"))
    assert (answer.outcome, answer.model, answer.tokens, drafts) == (
        "verified",
        "extractive",
        0,
        ["extractive"],
    )


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_a_failed_critique_takes_the_next_rung(home: Path, question: str, good: str) -> None:
    small, large = scripted("small", drafted(FALSE[question]), FRESH), scripted("large", drafted(good))
    answer, drafts = climb(home, question, small, large)
    assert (answer.outcome, answer.text, answer.model) == ("verified", good, "large")
    assert drafts == ["small", "large"] and answer.rounds == 1
    assert FALSE[question] in str(large.history[0][-1].text), "what failed is to be mended"


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_verified_sentences_are_kept_on_the_way_up(home: Path, question: str, good: str) -> None:
    small = scripted("small", drafted(good, WRONG[question]), FRESH)
    answer, drafts = climb(home, question, small, scripted("large", drafted()))
    assert (answer.outcome, answer.text, drafts) == ("verified", good, ["small", "large"])


@pytest.mark.parametrize(("question", "sentence", "words"), OPEN)
def test_quotations_that_leave_it_open_give_way_to_what_is_written(
    home: Path, question: str, sentence: str, words: str
) -> None:
    small = scripted("small", citing(sentence, words), {"S1": "supported"})
    with Agent(
        Settings(home=home, remember=False, max_rounds=1, verifier="off"), chat_models=[None, small]
    ) as agent:
        *events, answer = agent.run(question)
    drafts = [event["claims"] for event in events if event["event"] == "draft"]  # type: ignore[typeddict-item, index]
    assert len(drafts) == 2 and drafts[0] and drafts[1] == [sentence] and small.remaining == 0
    assert isinstance(answer, Answer)
    assert (answer.text, answer.model) == (sentence, "small"), "short, but just what was asked"


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_the_same_evidence_is_tried_once_more(home: Path, question: str, good: str) -> None:
    """Nothing new can be searched for: the higher rungs draft from what there is, then it ends."""
    small = scripted("small", drafted(FALSE[question]), {"queries": [question]})
    large = scripted("large", drafted(good))
    answer, drafts = climb(home, question, small, large, moves="gloss")
    assert (answer.text, answer.model, drafts) == (good, "large", ["small", "large"])
    assert answer.queries == (question,), "one search served both"
    bad = [scripted(name, drafted(FALSE[question])) for name in ("small", "middle", "large")]
    bad[0].enqueue({"queries": [question]})
    answer, drafts = climb(home, question, *bad, moves="gloss")
    assert drafts == ["small", "middle", "large"] and answer.stopped == "stagnated"
    assert answer.outcome == "abstained" and answer.queries == (question,)


def test_rounds_bound_the_ladder(home: Path) -> None:
    answer, drafts = climb(
        home, CONTRACT, scripted("small", drafted(FALSE[CONTRACT])), scripted("large"), max_rounds=0
    )
    assert (answer.stopped, answer.model, drafts) == ("rounds", "small", ["small"])


def test_tokens_bound_the_ladder(home: Path) -> None:
    answer, drafts = climb(
        home, FEE, scripted("small", drafted(FALSE[FEE])), scripted("large"), max_tokens=10
    )
    assert (answer.stopped, drafts) == ("tokens", ["small"]) and answer.budget["tokens"]["used"] > 10


@pytest.mark.parametrize(("question", "kind"), HARD)
def test_an_explanation_begins_with_a_model(home: Path, question: str, kind: str) -> None:
    _, drafts = climb(home, question, None, scripted("small", drafted()), max_rounds=0)
    assert drafts == ["small"]
    _, drafts = climb(home, question, None, max_rounds=0)
    assert drafts == ["extractive"]


@pytest.mark.parametrize("question", ["Summarise lease.txt", "总结 meeting.zh.md"])
def test_a_summary_begins_with_a_model(home: Path, question: str) -> None:
    def say(messages: list[Any]) -> dict[str, Any]:
        return drafted()

    small = ScriptedChat(name="small", replies=[say] * 20)
    with Agent(Settings(home=home, remember=False, max_rounds=0), chat_models=[None, small]) as agent:
        drafts = [event for event in agent.stream(question) if event["event"] == "draft"]
    assert drafts[0]["model"] == "small" and small.history


@pytest.mark.parametrize(("question", "good"), [(CONTRACT, SIGNED), (FEE, PAID)])
def test_a_rung_that_fails_gives_way_to_the_next(home: Path, question: str, good: str) -> None:
    """A model that is gone is stood in for; what passes then is the answer, and a note says so."""
    answer, _ = climb(home, question, scripted("small", ModelError("down")), scripted("large"))
    assert answer.outcome == "verified" and any("down" in note for note in answer.notes)


def test_a_named_judge_judges_every_model(home: Path) -> None:
    judge = scripted("judge", {"S1": "unsupported"}, {"S1": "supported"})
    small = scripted("small", drafted(REWORDED[CONTRACT]), FRESH)
    large = scripted("large", drafted(REWORDED[CONTRACT]))
    answer, drafts = climb(home, CONTRACT, small, large, judge_model=judge)
    assert (answer.text, drafts, judge.remaining) == (REWORDED[CONTRACT], ["small", "large"], 0)


def test_both_ways_to_give_models_exclude_each_other() -> None:
    with pytest.raises(InputError, match="chat_model or chat_models"):
        Agent(Settings(), chat_model=scripted("a"), chat_models=[None])


# --- settings and the command line ----------------------------------------------------------------------


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_a_ladder_is_named_with_commas(home: Path, question: str, good: str) -> None:
    with serving(drafted(FALSE[question]), FRESH) as one, serving(drafted(good)) as two:
        small, large = f"openai:small@{one.url}", f"openai:large@{two.url}"
        done = called(home, "ask", "--json", "--trace", question, AGENT_MODEL=f"{small}, {large}")
        answer = json.loads(done.stdout)
        assert (answer["answer"], answer["model"]) == (good, large)
        assert "1 sentences by small" in done.stderr and "1 sentences by large" in done.stderr
        why = called(home, "why").stdout
        assert "1 claims by small" in why and "1 claims by large" in why
        easy = json.loads(called(home, "ask", "--json", "--model", f"extractive,{small}", question).stdout)
        assert (easy["model"], easy["outcome"]) == ("extractive", "verified")


@pytest.mark.slow
@pytest.mark.parametrize(("question", "good"), GOOD)
def test_a_run_that_is_killed_on_the_second_rung_goes_on_there(home: Path, question: str, good: str) -> None:
    with serving(drafted(FALSE[question]), FRESH) as one, serving() as two:
        two.replies.append(silent(two))
        ladder = f"openai:small@{one.url},openai:large@{two.url}"
        child = subprocess.Popen(
            [*forked("agent.cli"), "ask", "--model", ladder, question],
            env=environment(home),
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 60
        while not two.asked and time.monotonic() < until:
            time.sleep(0.05)
        child.kill()
        _, err = child.communicate(timeout=20)
        assert two.left.wait(10), "it was killed while the second rung drafted"
        two.replies.append(drafted(good))
        run_id = err.split("--resume ")[1].split()[0]
        done = called(home, "ask", "--json", "--model", ladder, "--resume", run_id)
        answer = json.loads(done.stdout)
        assert len(one.asked) == 2 == len(two.asked), "the first rung is not asked again"
    assert (answer["answer"], answer["model"].split("@")[0]) == (good, "openai:large"), done.stderr
    events = json.loads(called(home, "why", "--json", run_id).stdout)["events"]
    drafts = [event["model"].split("@")[0] for event in events if event["event"] == "draft"]
    assert drafts == ["openai:small", "openai:large"]


def test_rungs_share_the_memory_of_one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is sized when it is loaded, from what the others have left by then."""
    pytest.importorskip("llama_cpp")
    file = write_random_gguf(tmp_path / "m.gguf", layers=8, width=512, heads=8, chat_template=CHAT_TEMPLATE)
    header = read_header(file)
    room = OVERHEAD_BYTES + gpu_bytes(header, CONTEXT, total_layers(header)) * 3 // 2
    taken: list[int] = []

    def left() -> list[Device]:
        free = room - sum(gpu_bytes(header, CONTEXT, layers) for layers in taken)
        return [Device("GPU", free, room)]

    class Loaded:
        """An engine, as far as a load tells what it was asked for."""

        def __init__(self, path: Path, *, gpu_layers: int, **_: Any) -> None:
            taken.append(total_layers(header) if gpu_layers < 0 else gpu_layers)

    monkeypatch.setattr("agent.models.gguf.devices", left)
    monkeypatch.setattr("agent.models.hardware.devices", left)
    monkeypatch.setattr("agent.models.gguf.Engine", Loaded)
    settings = Settings(home=tmp_path, context_tokens=CONTEXT)
    rungs = [build_chat_model(settings, str(file)) for _ in range(2)]
    for rung in rungs:
        assert isinstance(rung, ChatGGUF)
        rung._load()
    assert taken[0] == total_layers(header) and 0 < taken[1] < total_layers(header)
    assert left()[0].free_bytes >= OVERHEAD_BYTES


def test_every_rung_is_looked_at_before_the_first_is_asked(home: Path) -> None:
    for name, said in (
        ("extractive,qwen9", "qwen9"),
        ("extractive,openai:m@http://192.0.2.1/v1", "this machine"),
    ):
        done = called(home, "ask", "--model", name, CONTRACT)
        assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
