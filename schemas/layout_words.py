"""What a declaration says, in plain English and Chinese: a field's type, its rule, a check of a row."""

from __future__ import annotations

import re

from schemas.document import Words
from schemas.field_types import Field
from schemas.row_checks import FILE_DATE, Check, shown_condition, signed

# Up to so many codes are listed in the field table itself; more have a table of their own.
_FEW_CODES = 6
_TYPES: dict[str, Words] = {
    "code": ("code", "编码"),
    "text": ("text; no control character, not beginning with = + - @", "文本；不含控制字符，不以 = + - @ 开头"),
    "enum": ("code of a list", "代码"),
    "integer": ("whole number", "整数"),
    "rate": ("decimal fraction", "小数"),
    "identity": ("identity number or unified social credit code, check digit right", "身份证号或统一社会信用代码（校验位正确）"),
    "phone": ("mobile number of 11 digits", "11 位手机号"),
    "card": ("bank card number (Luhn check)", "银行卡号（Luhn 校验）"),
    "reserved": ("reserved: leave it blank", "保留：留空"),
}
# So many characters of some kinds: "[A-Z0-9]{2,10}".
_CHARACTERS = re.compile(r"\[(?P<kinds>(?:A-Z|a-z|0-9|_|-)+)\]\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]+))?\}")
_CHARACTER_KINDS: dict[str, Words] = {
    "A-Za-z": ("letter", "字母"),
    "A-Z": ("capital letter", "大写字母"),
    "a-z": ("small letter", "小写字母"),
    "0-9": ("digit", "数字"),
}
_FORM_WORDS = {"mmdd": "MMDD", "mmddhhmmss": "MMDDhhmmss", "hhmmsstt": "hhmmsstt", "hhmmss": "hhmmss"}


def type_words(field: Field) -> Words:
    """A field's type as it stands in the file."""
    if field.type == "amount":
        english, chinese = "amount in yuan with a point", "金额：元，带小数点"
        if field.unit == "fen":
            english, chinese = "amount in fen, digits only (two implied decimals)", "金额：分，仅数字（隐含两位小数）"
        if field.sign is not None:
            where = f"in {field.sign.field}" if field.sign.field else "as the first character"
            zh_where = f"见 {field.sign.field}" if field.sign.field else "为首字符"
            english += f"; sign {where}: {field.sign.plus} plus, {field.sign.minus} minus"
            chinese += f"；符号{zh_where}：{field.sign.plus} 为正，{field.sign.minus} 为负"
        return english, chinese
    if field.type == "rate" and field.decimals is not None:
        return f"rate, digits only ({field.decimals} implied decimals)", f"比率：仅数字（隐含 {field.decimals} 位小数）"
    if field.type in ("date", "time", "clock"):
        form = _FORM_WORDS.get(field.written_form, field.written_form)
        english, chinese = {
            "date": ("date", "日期"),
            "time": ("time, UTC+8", "时间（东八区）"),
            "clock": ("time of day", "时刻"),
        }[field.type]
        if field.lacks_year:
            return (
                f"{english} {form}; its year is the file's, less one for December in January",
                f"{chinese} {form}；年份取文件日期，一月文件中的十二月取上一年",
            )
        return f"{english} {form}", f"{chinese} {form}"
    return _TYPES[field.type]


def rule_words(field: Field) -> Words:
    """What a cell of the field must keep beyond its type."""
    words: list[Words] = []
    if field.pattern is not None:
        words.append(_pattern_words(field.pattern))
    if field.type == "text" and field.width:
        words.append(
            (f"at most {field.width} bytes; a Chinese character takes 2 or 4", f"至多 {field.width} 字节；一个汉字占 2 或 4 字节")
        )
    elif field.type == "text" and field.max is not None:
        words.append((f"at most {field.max} characters", f"至多 {field.max} 个字符"))
    elif field.min is not None or field.max is not None:
        words += [(f"at least {field.min}", f"不小于 {field.min}")] if field.min is not None else []
        words += [(f"at most {field.max}", f"不大于 {field.max}")] if field.max is not None else []
    if field.codes:
        words.append(("see its code list", "见代码表") if has_code_table(field) else _few_codes(field))
    if field.blank is not None:
        words.append((f"{field.blank} means blank", f"{field.blank} 表示空"))
    if field.optional_column:
        words.append(("the column may be missing", "该列可省略"))
    if field.personal:
        words.append(("personal data", "个人信息"))
    return "; ".join(english for english, _ in words), "；".join(chinese for _, chinese in words)


def has_code_table(field: Field) -> bool:
    """Whether the field's codes are too many to stand in the field table."""
    return len(field.codes) > _FEW_CODES


def _few_codes(field: Field) -> Words:
    english = (f"{code} {field.code_words[code].en}" if code in field.code_words else code for code in field.codes)
    chinese = (f"{code} {field.code_words[code].zh}" if code in field.code_words else code for code in field.codes)
    return " | ".join(english), " | ".join(chinese)


def _pattern_words(pattern: str) -> Words:
    """A pattern in plain words where it is so many characters of some kinds; else as it is."""
    found = _CHARACTERS.fullmatch(pattern)
    if found is None:
        return f"matches {pattern}", f"符合 {pattern}"
    kinds, least, most = found["kinds"], found["least"], found["most"]
    english, chinese = [], []
    for part, words in _CHARACTER_KINDS.items():
        if part in kinds:
            kinds = kinds.replace(part, "")
            english.append(words[0])
            chinese.append(words[1])
    english += [*kinds]
    chinese += [*kinds]
    count = least if most is None or most == least else f"{least} to {most}"
    zh_count = least if most is None or most == least else f"{least} 至 {most}"
    listed = " or ".join([", ".join(english[:-1]), english[-1]]) if len(english) > 1 else english[0]
    return f"{count} × {listed}", f"{zh_count} 位{'、'.join(chinese)}"


def check_words(check: Check) -> Words:
    """What a row must keep."""
    names = ", ".join(check.names)
    english, chinese = {
        "any_filled": (f"at least one of {names} is filled", f"{names} 至少填写一项"),
        "one_filled": (f"exactly one of {names} is filled", f"{names} 只填写一项"),
        "filled": (f"{names} must be filled", f"{names} 必须填写"),
        "empty": (f"{names} must be blank", f"{names} 必须为空"),
    }.get(check.kind, ("", ""))
    if check.kind == "sum":
        of, *terms = check.names
        shown = " ".join(f"{'-' if signed(term)[0] < 0 else '+'} {signed(term)[1]}" for term in terms).removeprefix("+ ")
        english = chinese = f"{of} = {shown}"
    elif check.kind == "order":
        english = " ≤ ".join("the file's date" if name == FILE_DATE else name for name in check.names)
        chinese = " ≤ ".join("文件日期" if name == FILE_DATE else name for name in check.names)
    elif check.kind == "recent":
        days = check.arguments["days"]
        english, chinese = f"{names} is at most {days} days before the file's date", f"{names} 不早于文件日期前 {days} 天"
    elif check.kind == "direction":
        code, mark = check.names
        marks = f"IN {check.arguments['IN']}, OUT {check.arguments['OUT']}"
        english, chinese = f"{mark} fits the direction of {code} ({marks})", f"{mark} 与 {code} 的方向一致（{marks}）"
    if check.when:
        english, chinese = f"{english}, where {shown_condition(check.when)}", f"{chinese}（当 {shown_condition(check.when)}）"
    if check.unless:
        english, chinese = (
            f"{english}, unless {shown_condition(check.unless)}",
            f"{chinese}（{shown_condition(check.unless)} 除外）",
        )
    return english, chinese
