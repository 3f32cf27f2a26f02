"""Wiring: once a date is closed, what was sealed is verified, and all that cannot be found again is backed up."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, chain

from console.airflow.assets import DAY_CLOSED
from console.airflow.defaults import CustodyDag, dag_settings
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
When a custody date is closed: verifies the register's chain, the signed roots, and the date's outputs in the lake and the archive against
each other (`custody verify`), then copies register, lake, archive, seals and who the customers are into the settings' `backup.folder`.
The keys are never in it: they lie in the bank's own safe. What was found is written down and shown on page Day; a fault is an alert too
(VERIFY_FAULTS). The keyed store, which is read whole whatever the date, is left to `custody verify --record` by hand, monthly.
### When it fails
`verify` WITH FINDINGS: something was changed behind the system's back: the log names part and place. Stop releases, tell auditor and
administrator, compare with the newest backup; do not run days until it is explained. `backup`, exit 3: a day runs just now; it is
tried again. Disk full: make room, clear the task. By hand: `custody verify --date D`, `custody backup`.
To restore: `custody restore --in FOLDER --as ADMINISTRATOR` on an empty machine that has the keys.

### 做什么
账务日关账后：核验审计链、签名根、当日数据湖与归档（`custody verify`），再将登记库、数据湖、归档、封签与客户主档备份至设置项
`backup.folder`。密钥不在备份内，由本行另行保管。
校验结果登记并显示于日终页面，发现不符即预警（VERIFY_FAULTS）。键值库须全量读取，请每月手工执行 `custody verify --record`。
### 失败时
`verify` 出现 WITH FINDINGS：数据被系统外改动，日志列明部位。暂停报送，通知审计与管理员，与最近备份比对，查明前不要继续日终。
`backup` 退出码 3：日终正在运行，将自动重试；磁盘不足时清理后清除任务。手工执行 `custody verify --date D`、`custody backup`。
恢复：在已放回密钥的空机器上执行 `custody restore --in 目录 --as 管理员`。
"""

with CustodyDag(
    dag_id="seal_and_backup",
    schedule=PartitionedAssetTimetable(assets=DAY_CLOSED),
    catchup=False,
    **dag_settings(
        english="verify the seals of a closed date and back everything up",
        chinese="核验封签并备份",
        doc=DOC,
        tags=["backup"],
        due_within=timedelta(hours=6),
        dated=True,
    ),
):
    chain(
        CustodyCommand(task_id="verify", command=("verify", "--no-store", "--record")),
        CustodyCommand(task_id="backup", command=("backup",), dated=False),
    )
