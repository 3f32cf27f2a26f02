"""HBase on one machine: the master with its region server and ZooKeeper in one Java process, and the Thrift1 server.

Everything listens on loopback. The data are plain files: a killed process loses nothing that was acknowledged (the log is
replayed), but a power failure may (one machine shows no replicas).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import cached_property
from pathlib import Path

import happybase
from thriftpy2.thrift import TException

from cluster.daemon import Daemon, ServiceFailed
from cluster.hadoop import write_site
from cluster.jars import jars
from cluster.machine import Ports, listens
from cluster.programs import JAVAC, require
from connectors.hbase_store import FAMILY, cause
from connectors.loopback import LOOPBACK
from schemas.store_keys import META, SALTS, UNSALTED

_CREATE_TABLES = Path(__file__).with_name("hbase") / "CreateTables.java"
_START_SECONDS = 120
_TOOL_SECONDS = 600
_ASK_MILLISECONDS = 5_000
_NO_TABLE = "no_such_table"
# An orderly stop flushes what is in memory.
_STOP_SECONDS = 90
# HBase reaches into the JDK; Java 17 must be told to allow it (HBase's own bin/hbase says the same).
_JAVA_17 = [
    "-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true",
    "--add-modules=jdk.unsupported",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.nio", "sun.nio.ch", "java.lang", "jdk.internal.ref", "java.lang.reflect", "java.util", "java.util.concurrent",
            "jdk.internal.util.random",
        )
    ),
    "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
]  # fmt: skip
# A server whose heap is full lives on by default, answers whoever reads, and fails or hangs every put into a region that was empty.
# One that ends says why in its log, is started again, and has lost nothing.
_GC = ["-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]
_LOG4J = """\
log4j.rootLogger=WARN,C
log4j.appender.C=org.apache.log4j.ConsoleAppender
log4j.appender.C.layout=org.apache.log4j.PatternLayout
log4j.appender.C.layout.ConversionPattern=%d{ISO8601} %-5p [%t] %c{2}: %m%n
"""


class Hbase:
    """State is below ``folder``. ``idle_seconds``: how long the Thrift server keeps a connection that says nothing."""

    def __init__(self, folder: Path, ports: Ports, idle_seconds: int = 600) -> None:
        self.folder, self.ports, self._idle_seconds = folder, ports, idle_seconds
        self._conf = folder / "conf"

    @cached_property
    def master(self) -> Daemon:
        return Daemon("master", self.folder, lambda: self._java("1g", "org.apache.hadoop.hbase.master.HMaster", "start"))

    @cached_property
    def thrift(self) -> Daemon:
        return Daemon("thrift", self.folder, lambda: self._java("512m", "org.apache.hadoop.hbase.thrift.ThriftServer", "start"))

    @property
    def thrift_port(self) -> int:
        return self.ports["hbase-thrift"]

    def url(self, namespace: str) -> str:
        """What the settings name as a keyed store."""
        return f"hbase://{LOOPBACK}:{self.thrift_port}/{namespace}"

    def start(self) -> None:
        """Start what does not run; returns when tables can be made and written. Raises MachineLacks, ServiceFailed."""
        self._configure()
        # The Thrift server gives up when it finds no ZooKeeper.
        self.master.start()
        self.master.wait_until(lambda: listens(self.ports["hbase-zookeeper"]), _START_SECONDS)
        self.thrift.start()
        self.thrift.wait_until(self._initialised, _START_SECONDS)

    def stop(self) -> None:
        self.thrift.stop(_STOP_SECONDS)
        self.master.stop(_STOP_SECONDS)

    def kill(self, which: str) -> None:
        """As a crash would: ``master`` (with its region server and ZooKeeper) or ``thrift``."""
        {"master": self.master, "thrift": self.thrift}[which].kill()

    def healthy(self) -> str | None:
        for daemon in (self.master, self.thrift):
            if daemon.pid is None:
                return f"{daemon.name} does not run"
        return self._asked(lambda connection: connection.tables())

    def create_tables(self, namespace: str, tables: Iterable[str], regions: int = SALTS) -> None:
        """Make the namespace, the tables (one region for each salt) and ``_meta``; what is there already is left alone. ``regions``: fewer, of
        which the last has the salts that are left, where little is kept: each is assigned again whenever the master is back."""
        require([JAVAC])
        wanted = [f"{table}={1 if table in UNSALTED else regions}" for table in (META, *tables)]
        tool = [str(_CREATE_TABLES), namespace, FAMILY.decode(), *wanted]
        try:
            done = subprocess.run(
                self._java("256m", *tool), cwd=self.folder, capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise ServiceFailed(f"creating the tables of {namespace} took over {_TOOL_SECONDS} s") from late
        if done.returncode != 0:
            raise ServiceFailed(f"the tables of {namespace} were not created\n{done.stdout}{done.stderr}")

    def _initialised(self) -> str | None:
        """A master that still initialises lists its tables already, but neither makes nor enables any."""
        why = self._asked(lambda connection: connection.enable_table(_NO_TABLE))
        return None if why is None or "TableNotFoundException" in why else why

    def _asked(self, question: Callable[[happybase.Connection], object]) -> str | None:
        """None when it was answered, else why not."""
        try:
            with closing(happybase.Connection(LOOPBACK, self.thrift_port, timeout=_ASK_MILLISECONDS)) as connection:
                question(connection)
        except (OSError, TException) as error:
            return f"HBase does not answer: {cause(error)}"
        return None

    def _java(self, heap: str, *arguments: str) -> list[str]:
        return ["java", f"-Xmx{heap}", *_GC, *_JAVA_17, "-cp", f"{self._conf}:{jars('hbase')}/*", *arguments]

    def _configure(self) -> None:
        self._conf.mkdir(parents=True, exist_ok=True)
        write_site(self._conf / "hbase-site.xml", self._site())
        (self._conf / "log4j.properties").write_text(_LOG4J, encoding="utf-8")

    def _site(self) -> dict[str, object]:
        port = self.ports
        return {
            "hbase.rootdir": (self.folder / "data").as_uri(),
            "hbase.tmp.dir": self.folder / "tmp",
            "hbase.cluster.distributed": "false",
            # The checksumming local file system buffers what the log calls flushed; the raw one hands it to the kernel.
            "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
            "hbase.unsafe.stream.capability.enforce": "false",
            "hbase.wal.provider": "filesystem",
            "hbase.zookeeper.quorum": LOOPBACK,
            "hbase.zookeeper.property.clientPort": port["hbase-zookeeper"],
            "hbase.zookeeper.property.clientPortAddress": LOOPBACK,
            "hbase.zookeeper.property.dataDir": self.folder / "zookeeper",
            "hbase.master.hostname": "localhost",
            "hbase.master.ipc.address": LOOPBACK,
            "hbase.master.port": port["hbase-master"],
            "hbase.master.info.port": -1,
            "hbase.regionserver.hostname": "localhost",
            "hbase.regionserver.ipc.address": LOOPBACK,
            "hbase.regionserver.port": port["hbase-region"],
            "hbase.regionserver.info.port": -1,
            "hbase.regionserver.thrift.ipaddress": LOOPBACK,
            "hbase.regionserver.thrift.port": port["hbase-thrift"],
            "hbase.thrift.server.socket.read.timeout": self._idle_seconds * 1000,
            "hbase.thrift.info.port": -1,
            # Else each region that holds a cell takes a chunk of 2 MB, for which G1 lays aside 3 MB: the tables of one ledger
            # (210 regions, a few rows in each) took 730 MB of the heap, and a second ledger's filled it. Without: 97 MB.
            "hbase.hregion.memstore.mslab.enabled": "false",
            # The Thrift server answers with an error well before its callers lose patience (``hbase.timeout_seconds``).
            "hbase.client.retries.number": 5,
            "hbase.client.operation.timeout": 10_000,
            "hbase.client.meta.operation.timeout": 10_000,
            "hbase.rpc.timeout": 10_000,
        }
