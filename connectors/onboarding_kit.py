"""What a new organisation is given: a letter with where to log in and the rules, its layouts' documents, and sample files with a seal.

One zip archive, the same bytes for the same register and settings. The bank's people hand it over on a way of their own (mail, paper),
since by the letter's fingerprint the organisation knows that it speaks with the bank; a copy lies in its out/.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date

from connectors.settings import Settings
from connectors.ssh_keys import public_key_line
from custody.names import PartyKind
from custody.services.organisations import Party
from custody.services.party_keys import PartyKey, ssh_key
from schemas.document import to_html, to_markdown
from schemas.exchange import ExchangeName, Seal, SealedFile, sha256_hex
from schemas.layout import Layout, load_layout
from schemas.layout_document import layout_document
from schemas.layout_example import EXAMPLE_DATE, example_file, example_rows
from schemas.layout_file import control_totals

# Of zip archives: no clock goes into them.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def kit_name(party: str) -> str:
    """Under which it lies in the party's out/."""
    return f"{party}_ONBOARDING_KIT_v1.zip"


# What lies in a party's out/ besides answers in JSON, by layout.
_WE_SEND = {
    PartyKind.PLATFORM: ("bank_statement/1", "bank_fee_notice/1"),
    PartyKind.GATEWAY: ("bank_charge/1", "bank_large_value/1", "bank_suspicious/1"),
}


def onboarding_kit(settings: Settings, of: Party, keys: list[PartyKey], today: date) -> bytes:
    """``keys``: the party's log-in keys. Raises UnknownLayout for a layout that the contract names and nobody has."""
    layouts = [load_layout(layout_id) for _, ids in sorted(of.contract["layouts"].items()) for layout_id in ids]
    ours = [load_layout(layout_id) for layout_id in _WE_SEND.get(PartyKind(of.kind), ())]
    files = {"LETTER.md": letter(settings, of, keys, today).encode()}
    for layout in (*layouts, *ours):
        document = layout_document(layout)
        for suffix, text in (("md", to_markdown(document)), ("html", to_html(document))):
            files[f"layouts/{layout.name}_v{layout.version}.{suffix}"] = text.encode()
    files |= {f"samples/{name}": data for name, data in samples(of, layouts).items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def samples(of: Party, layouts: list[Layout]) -> dict[str, bytes]:
    """A file of each type by the first layout that the contract names for it, in the party's own encoding, and their seal."""
    files: dict[str, bytes] = {}
    entries = []
    encoding = of.contract["encoding"]
    for layout in {layout.file_type: layout for layout in reversed(layouts)}.values():
        used = encoding if encoding in layout.encodings else layout.encodings[0]
        name = str(ExchangeName(of.party, layout.file_type, EXAMPLE_DATE, 1, 1))
        data, rows = example_file(layout, used), example_rows(layout, used)
        entry = SealedFile(
            name=name, layout=layout.id, encoding=used, bytes=len(data), rows=len(rows), sha256=sha256_hex(data),
            totals=control_totals(layout, rows), batches=1,
        )  # fmt: skip
        entries.append(entry)
        files[name] = data
    entries.sort(key=lambda entry: entry.name)
    seal = Seal(party=of.party, custody_date=EXAMPLE_DATE.isoformat(), batch=1, version=1, files=entries)
    return {**files, str(ExchangeName(of.party, "SEAL", EXAMPLE_DATE, 1, 1)): seal.to_bytes()}


def letter(settings: Settings, of: Party, keys: list[PartyKey], today: date) -> str:
    """In English and Chinese, as Markdown."""
    sftp = settings.sftp
    host = ssh_key(public_key_line(settings.path(sftp.host_key)))
    host_key = "–" if host is None else host.fingerprint
    own = "\n".join(f"- `{key.fingerprint}`" for key in keys if key.works_on(today)) or "- –"
    types = ", ".join(of.contract["file_types"])
    return f"""\
# {settings.instance.bank}: files of {of.party} {of.name_en} / {of.name_zh}

## English
- SFTP host `{sftp.host}` port `{sftp.port}`, account `{sftp.account(of.party)}`; public keys only, no passwords.
- Host key: `{host_key}`. Compare it when you first connect; another one is not ours: do not log in, call us.
- Your keys that work today:
{own}
- Put files into `in/` under `NAME.part`, then rename. The seal (`{of.party}_SEAL_DATE_BATCH_vVERSION.json`) comes last: without it nothing is read.
- Names carry sender, type, date, batch and version; the seal says size, rows, totals and SHA-256 or SM3 of each file.
- Every date: {types}. Encoding: {of.contract["encoding"]}. A file has at most {sftp.max_file_bytes} bytes.
- A correction is a higher version; other content under the same name is quarantined.
- Answers lie in `out/`: a RECEIPT for each seal, then the VALIDATION and the results of each date.
- Check files on your own machine first: `custody check-file PATH`. `layouts/` says what they look like, `samples/` shows some.
- Now: put sample files with their seal into `in/`. They enter no books; the ACCEPTANCE file in `out/` says what to correct.

## 中文
- SFTP 主机 `{sftp.host}`，端口 `{sftp.port}`，账号 `{sftp.account(of.party)}`；仅支持公钥登录，不使用口令。
- 主机公钥指纹：`{host_key}`。首次连接时请核对；不一致即非本行主机，请勿登录并致电本行。
- 贵机构今日有效的公钥：
{own}
- 文件先以 `NAME.part` 上传至 `in/`，再改名。封签文件（`{of.party}_SEAL_日期_批次_v版本.json`）最后上传；无封签不读取。
- 文件名含报送方、类型、日期、批次、版本；封签写明各文件的大小、行数、控制总额及 SHA-256 或 SM3 摘要。
- 每日应报：{types}。编码：{of.contract["encoding"]}。单个文件不超过 {sftp.max_file_bytes} 字节。
- 更正须用更高版本号；同名而内容不同的文件将被隔离。
- 本行应答在 `out/`：每个封签一份 RECEIPT，其后为各账务日的 VALIDATION 与对账结果。
- 发送前请自检：`custody check-file PATH`。版式见 `layouts/`，样例见 `samples/`。
- 现在：请将样本文件连同封签放入 `in/`。样本不入账；`out/` 中的 ACCEPTANCE 文件会说明须更正之处。
"""
