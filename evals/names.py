"""The names in a sentence that can be told for sure, and names to put in their place, in both languages.

It finds few names, not all; the agent does not use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from evals.rewrites import MONTHS

_GIVEN = set(
    """
    John James William Robert Charles George Thomas Henry David Michael Richard Joseph Edward Paul Peter Mary
    Elizabeth Anne Margaret Alexander Louis Albert Frederick Francis Martin Nikola Ludwig Karl Johann Heinrich
    Jean Pierre Jacques Antoine Isaac Arthur Walter Frank Harry Jack Daniel Samuel Benjamin Andrew Stephen
    Philip Leonard Max Hans Otto Marie Victoria Helen Ruth Alice Steven Kevin Brian Mark Ronald Donald
    """.split()
)
_TITLES = r"(?:President|King|Queen|Emperor|Prince|Professor|General|Bishop|Sir|Lord|Minister)"
NOT_NAMES = set(
    """
    The A An In On At It He She They We I This That These Those But And Or As By For From With However Although
    While When After Before During Since Many Most Some Other Both Each All There Their His Her Its One Two Three
    January February March April May June July August September October November December Monday Tuesday
    Wednesday Thursday Friday Saturday Sunday Though Whilst Once Where Also Such Because If To Of God Internet Roman Latin Greek Western Eastern Northern Southern Central Arab Great
    North South East West New Old St Mount Lake River First Second Third World Great Upper Lower Stage Article
    """.split()
) | set(MONTHS)
_DEMONYM = re.compile(
    r"^(?:French|German|English|British|Scottish|Polish|Chinese|American|Japanese|Spanish|Italian|Russian|Dutch"
    r"|European|African|Mongol|Norman|Huguenot|Catholic|Protestant|Christian|Jewish|Muslim|\w+(?:ian|ish|ese|ic|ans|ists?))s?$"
)
_NAME = re.compile(r"(?<!\w)[A-Z][a-zé]{2,}(?: (?:of (?:the )?)?[A-Z][a-zé]{2,}){0,3}")
PLACES_HANS = (
    "中国 美国 英国 法国 德国 日本 韩国 俄罗斯 印度 意大利 西班牙 葡萄牙 荷兰 瑞典 挪威 芬兰 波兰 埃及 土耳其 伊朗 伊拉克 越南 泰国 "
    "澳大利亚 加拿大 墨西哥 巴西 阿根廷 北京 上海 天津 重庆 广州 深圳 香港 澳门 台湾 南京 杭州 武汉 成都 西安 沈阳 长沙 福州 厦门 "
    "山东 山西 河南 河北 湖南 湖北 广东 广西 四川 云南 贵州 浙江 江苏 安徽 江西 福建 东京 大阪 巴黎 伦敦 柏林 罗马 纽约 莫斯科 首尔"
).split()
PLACES_HANT = (
    "中國 美國 英國 法國 德國 日本 韓國 俄羅斯 印度 義大利 西班牙 葡萄牙 荷蘭 瑞典 挪威 芬蘭 波蘭 埃及 土耳其 伊朗 伊拉克 越南 泰國 "
    "澳大利亞 加拿大 墨西哥 巴西 阿根廷 北京 上海 天津 重慶 廣州 深圳 香港 澳門 台灣 南京 杭州 武漢 成都 西安 瀋陽 長沙 福州 廈門 "
    "山東 山西 河南 河北 湖南 湖北 廣東 廣西 四川 雲南 貴州 浙江 江蘇 安徽 江西 福建 東京 大阪 巴黎 倫敦 柏林 羅馬 紐約 莫斯科 首爾"
).split()
_PLACE = re.compile("|".join(sorted({*PLACES_HANS, *PLACES_HANT}, key=len, reverse=True)))
# Characters that write foreign names; a run of them with a middle dot is one.
_SOUNDS = (
    "阿埃艾安奥奧巴贝貝比彼伯布查达達戴丹德邓迪蒂杜多厄恩尔爾法菲费費弗佛福盖蓋格戈古哈汉漢赫霍基吉加卡凯凱柯科克库庫拉莱萊兰蘭劳勞雷里理利林"
    "卢盧鲁魯罗羅洛马馬麦麥曼梅米蒙莫默姆穆纳納内內尼诺諾努欧歐帕佩皮普奇乔喬切琼瓊萨薩塞瑟森沙史斯司斯苏蘇索塔泰坦汤湯特提图圖托瓦威韦韋维維温溫沃乌烏西希锡錫夏肖谢謝休雅亚亞扬叶伊尤约約詹珍朱兹茲佐"
)
_FOREIGN = re.compile(f"[{_SOUNDS}]{{1,6}}(?:[·‧・•][{_SOUNDS}]{{1,7}})+")
_WORK = re.compile(r"《[^《》]{2,12}》")
PEOPLE_HANS = "王建国 李明辉 张伟民 刘志强 陈晓东 赵文华 黄国栋 周永康 吴家豪 孙立群 胡志明 林美玲 何俊杰 罗文彬 梁淑芬".split()
PEOPLE_HANT = "王建國 李明輝 張偉民 劉志強 陳曉東 趙文華 黃國棟 周永年 吳家豪 孫立群 胡志遠 林美玲 何俊傑 羅文彬 梁淑芬".split()
_NOT_A_PLACE = re.compile("[人文语語话話史軍军队隊大府政共产產籍式菜族省市縣县路洋海南方裔教]")
_PART_OF_A_PLACE = re.compile("[东東西南北中大小驻駐新亲親反抗留访訪全]$")
_BEFORE_A_PERSON = re.compile("(?:^|[^\u3400-\u9fff]|[和与與由的是員员手家師师授])$")
_AFTER_A_PERSON = re.compile("[^\u3400-\u9fff·‧・]|[的在和与與是於于曾說说及]|$")
_NAME_GOES_ON = re.compile(r"[-–’'/]|\s?&|\w|\.\w|\s\d|,? (?:Jr|II)| (?:de|von|van|da|di|of|[A-Z])")
_NAME_BEGAN_BEFORE = re.compile(r"(?:[-–’'/]|& |[A-Z]\.? |[A-Z][a-z]+\.? )$")


def find_names(text: str, chinese: bool, common: Set[str] = frozenset()) -> list[tuple[int, int, str]]:
    """(start, end, type) of the names of a sentence that can be told for sure; few, not all.

    `common`: words that the corpus also writes in small letters, so that alone they are no names.
    """
    return sorted(_names_zh(text)) if chinese else list(_names_en(text, common))


def _names_zh(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _PLACE.finditer(text):
        if not _NOT_A_PLACE.match(text, match.end()) and not _PART_OF_A_PLACE.search(text[: match.start()]):
            yield match.start(), match.end(), "place"
    for match in _FOREIGN.finditer(text):
        if _BEFORE_A_PERSON.search(text[: match.start()]) and _AFTER_A_PERSON.match(text, match.end()):
            yield match.start(), match.end(), "person"
    for match in _WORK.finditer(text):
        yield match.start(), match.end(), "work"


def _names_en(text: str, common: Set[str]) -> Iterator[tuple[int, int, str]]:
    for match in _NAME.finditer(text):
        words, before = match.group().split(), text[: match.start()]
        plain = words[0] in NOT_NAMES or (len(words) == 1 and words[0].lower() in common)
        if plain or not before or _DEMONYM.match(words[0]) or _DEMONYM.match(words[-1]):
            continue
        if _NAME_GOES_ON.match(text, match.end()) or _NAME_BEGAN_BEFORE.search(before):
            continue
        person = words[0] in _GIVEN and len(words) in (2, 3) and "of" not in words
        person = person or bool(re.search(rf"{_TITLES} $", before))
        placed = re.search(r"\b(?:in|from|near|at) $", before) and len(words) == 1
        yield (
            match.start(),
            match.end(),
            "person" if person else "place" if placed else f"name of {len(words)}",
        )
