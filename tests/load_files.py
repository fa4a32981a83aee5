"""Texts in several languages, small PDFs, and why a file is refused: what the tests of the loaders share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from retrieval.load import (
    LoadError,
    load,
)

CHINESE = """会议记录

今天下午三点，我们在二楼的会议室讨论了明年的预算。张老师说：“如果不先把旧系统的问题解决，新的功能就没有意义。”
大家同意把数据迁移放在第一位，然后再考虑界面。最后决定由李工负责，下个月底以前完成。
"""


TRADITIONAL = """會議記錄

今天下午三點，我們在二樓的會議室討論了明年的預算。張老師說：「如果不先把舊系統的問題解決，新的功能就沒有意義。」
大家同意把資料遷移放在第一位，然後再考慮介面。最後決定由李工負責，下個月底以前完成。
"""


JAPANESE = """会議の記録

今日の午後三時に、二階の会議室で来年の予算について話し合いました。古いシステムの問題を先に解決しなければ、
新しい機能には意味がないという意見が出ました。
"""


KOREAN = """회의 기록

오늘 오후 세 시에 이층 회의실에서 내년 예산에 대해 이야기했습니다.
오래된 시스템의 문제를 먼저 해결해야 합니다.
"""


FRENCH = """Compte rendu de la réunion

À quinze heures, nous avons discuté du budget de l’année prochaine. « Très bien », a répondu Hélène.
La décision a été reportée à l'été, après un débat animé où chacun s'est exprimé.
"""


def make_pdf(pages: Iterable[str], title: str = "") -> bytes:
    """A small PDF with one page for each text, a line of Helvetica for each line of it."""
    texts = list(pages)
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(texts)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, text in enumerate(texts):
        lines = "".join(f"({line}) Tj 0 -16 Td " for line in text.split("\n")) if text else ""
        stream = f"BT /F1 12 Tf 50 700 Td {lines}ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects.append(f"<< /Title ({title}) >>")
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size, info = len(objects) + 1, len(objects)
    return (
        out
        + f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n"
        f"<< /Size {size} /Root 1 0 R /Info {info} 0 R >>\nstartxref\n{len(out)}\n%%EOF\n".encode()
    )


def reason(path: Path, **options: int) -> str:
    with pytest.raises(LoadError) as caught:
        load(path, **options)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path
