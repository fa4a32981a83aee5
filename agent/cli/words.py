"""What the command line itself says around an answer, in English and Chinese. It decides nothing.

The answer's own words are with what words it (`agent.outcome`, `agent.notes`, `agent.disagreement`), those of
errors in `agent.error_words`.
"""

from __future__ import annotations

from typing import Any

WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "missing": "Nowhere in what is cited",
        "closest": "Closest passages",
        "changed": "changed since it was indexed",
        "gone": "the file is gone",
        "also": "also in",
        "more": "and {n} more",
        "rounds": "rounds",
        "seconds": "s",
        "open": "reading the library ...",
        "interrupted": "stopped before it began: nothing of this question is kept",
        "colon": ": ",
        "error": "error: ",
        "note": "note: ",
        "quote": "“{}”",
        "line": "line {}",
        "page": "p. {}",
        "resumable": "run {0} (--resume {0} if it is cut short)",
        "read only": "the library is open for reading only: nothing is remembered",
        "no thread": "there is no thread to go on with yet: this begins {0} (-t {0}, or -c)",
        "thread": "going on with the thread {}",
        "model": "answering by quotation; for fluent answers get a chat model: `agent model pull`",
        "judge": "--judge-model is not used: no chat model writes; give one with --model",
    },
    "zh": {
        "missing": "引文中没有提到",
        "closest": "最接近的段落",
        "changed": "索引之后文件已改动",
        "gone": "文件已不存在",
        "also": "也见于",
        "more": "另有 {n} 处",
        "rounds": "轮",
        "seconds": "秒",
        "open": "正在打开文库 ...",
        "interrupted": "还没开始就已停止：这个问题没有留下任何内容",
        "colon": "：",
        "error": "错误：",
        "note": "注意：",
        "quote": "“{}”",
        "line": "第 {} 行",
        "page": "第 {} 页",
        "resumable": "运行 {0}（如果中断，用 --resume {0} 继续）",
        "read only": "文库以只读方式打开：什么都不会记下",
        "no thread": "还没有可以继续的 thread：新的名为 {0}（之后用 -t {0} 或 -c）",
        "thread": "继续 thread {}",
        "model": "答案是原文引用；要得到通顺的答案，可以下载一个聊天模型：`agent model pull`",
        "judge": "--judge-model 没有用上：没有聊天模型写答案，请用 --model 指定一个",
    },
}
STEPS: dict[str, dict[str, str]] = {
    "en": {
        "started": "thinking of earlier questions",
        "recall": "reading the question",
        "plan": "searching: {}",
        "tool": "computing",
        "whole": "reading the whole document",
        "retrieve": "reading {} passages",
        "draft": "checking {} sentences",
        "passed": "putting the answer together",
        "failed": "looking for what is missing",
        "reformulate": "round {}, searching: {}",
    },
    "zh": {
        "started": "回想以前的问题",
        "recall": "理解问题",
        "plan": "搜索：{}",
        "tool": "计算",
        "whole": "通读文件",
        "retrieve": "阅读 {} 个段落",
        "draft": "核对 {} 个句子",
        "passed": "整理答案",
        "failed": "寻找缺少的内容",
        "reformulate": "第 {} 轮，搜索：{}",
    },
}
"""What a run is about to do, by the event that was told last."""
FIRST: dict[str, dict[str, str]] = {
    "en": {
        "empty": "Your library is empty, so there is nothing to answer from yet. What to do next:",
        "add": "  agent add PATH|URL            read your files; they stay where they are, on this machine",
        "docs": '  agent ask --docs FILE "..."   answer from a file without adding it',
        "model": "  agent model pull              get a chat model; without one, answers are quotations",
        "prepare": "The embedder is prepared first: once, from what is installed, in some seconds.",
        "offer": "Add this folder, {folder} ({count} files, {size})? [y/N] ",
        "home": "Add ALL of your home folder, {folder} ({count} files, {size})? [y/N] ",
        "root": "Add ALL of this machine, {folder} ({count} files, {size})? [y/N] ",
        "over": "more than {}",
    },
    "zh": {
        "empty": "文库是空的，还没有可以用来回答的内容。接下来可以：",
        "add": "  agent add 文件夹|文件|网址     读入你的文件（文件留在原处，内容不离开本机）",
        "docs": "  agent ask --docs 文件 “……”    只用一个文件回答，不加入文库",
        "model": "  agent model pull              下载聊天模型；没有它，答案就是原文引用",
        "prepare": "第一次添加时会先准备向量模型：只做一次，用已安装的文件，约几秒钟。",
        "offer": "要添加当前文件夹 {folder}（{count} 个文件，{size}）吗？[y/N] ",
        "home": "要添加你的整个主文件夹 {folder}（{count} 个文件，{size}）吗？[y/N] ",
        "root": "要添加整台机器 {folder}（{count} 个文件，{size}）吗？[y/N] ",
        "over": "超过 {}",
    },
}
"""What is said where there is nothing to answer from yet; at most five lines with the offer."""
