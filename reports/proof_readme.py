"""What stands in a proof's README.md, in both languages."""

from __future__ import annotations

README = """\
# 存管银行证明 · Proof by the custodian bank

{what_zh}

{what_en}

## 怎样核验

1. 需要 Python 3.9 以上与 OpenSSH（`ssh-keygen`），无需任何其他软件，无需联网，也无需银行的系统。
2. 向银行另行索取签名公钥清单（`custody seal signers`），不要只用本证明附带的 `allowed_signers`。
3. 在本目录执行：`python3 -I verify.py --signers 公钥清单`。最后一行为 `ALL AGREES 核验通过`，退出码 0，即为通过；否则会写明何处不符。

证明的逻辑：行或文件 → 步骤输出的摘要 → 当日日终根 → 银行对日终根的签名；各日的根首尾相连，改动任何一日都会与其后的签名矛盾。规则写在
`verify.py` 开头，可自行另写程序核验。

不能证明的：数据本身是否属实（只证明它自封存后未被更改），以及未包含在内的其他行。

## How to check

1. Python 3.9 or newer and OpenSSH (`ssh-keygen`); no other software, no network, nothing of the bank's system.
2. Have the list of keys from the bank by another way (`custody seal signers`); do not trust the `allowed_signers` that came with the proof alone.
3. In this folder: `python3 -I verify.py --signers LIST`. All is well where the last line says `ALL AGREES` (exit code 0); else it says what
   does not agree, and where.

How it holds together: row or file → digest of the step's output → root of its day → the bank's signature of that root. Each root names the
one before, so that no day can be changed without contradicting every later signature. The rules stand at the top of `verify.py`: you
may as well write a checker of your own.

What it does not show: that what was reported is true (only that it is what was sealed then), and anything of other rows.

## 文件 · Files

| | |
|---|---|
| `proof.json` | 证明的对象 · what is proved |
| `verify.py` | 核验程序 · the checker |
| `allowed_signers` | 签名公钥及其适用账务日 · keys and the custody dates that each signs |
| `days/D.json` | D 日的日终根：各步骤的摘要 · the root of D: the digest of each step |
| `days/D_vN.json`, `.sig` | 银行对该根的声明及签名 · the bank's statement of that root, and its signature |
| `outputs/D_STEP.json` | 该步骤输出的各表、各文件摘要 · the digests of a step's tables and files |
| `files/` | 报表文件与封签 · the report's files and its seal |
"""
