"""HDFS on loopback: one NameNode and one DataNode, from Maven's jars; replication 1. What the lake lies on at a bank.

The real servers with the real client protocol; what one machine cannot show is the loss of a disk or of a host.
"""

from __future__ import annotations

import getpass
import os
import secrets
import subprocess
from functools import cached_property
from pathlib import Path

from cluster.daemon import Daemon, ServiceFailed
from cluster.hadoop import write_site
from cluster.jars import jars
from cluster.machine import Ports, listens
from connectors.lake_files import HdfsFiles
from connectors.loopback import LOOPBACK
from custody.errors import CustodyError

_HEAP = "256m"
# The servers are small and start often: what compiles and collects in parallel costs them more than it brings.
_JAVA_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_START_SECONDS = 180
_FORMAT_SECONDS = 60
_PROBE = ".healthy"
_SERVERS = "org.apache.hadoop.hdfs.server"
_LOGGING = """\
log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p %c{2}: %m%n
log4j.logger.org.apache.hadoop.hdfs.server.namenode.FSNamesystem.audit=WARN
"""


class Hdfs:
    """Whoever starts it is its superuser, as HDFS has it; permissions are checked for everybody else."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._folder = folder
        self._ports = ports

    @property
    def url(self) -> str:
        """``hdfs://HOST:PORT``, to which ``stores.lake`` in the settings adds a folder."""
        return f"hdfs://{LOOPBACK}:{self._ports['hdfs_namenode']}"

    @cached_property
    def namenode(self) -> Daemon:
        return Daemon("namenode", self._folder, lambda: [*self.java, f"{_SERVERS}.namenode.NameNode"], self._environment)

    @cached_property
    def datanode(self) -> Daemon:
        return Daemon("datanode", self._folder, lambda: [*self.java, f"{_SERVERS}.datanode.DataNode"], self._environment)

    def start(self) -> None:
        """Returns when a file can be written and read. Raises MachineLacks, ServiceFailed."""
        self._configure()
        formatted = self._folder / "formatted"
        if not formatted.exists():  # never, or the one that tried was killed
            self._format()
            formatted.touch()
        self.namenode.start()
        self.datanode.start()
        # The client would wait for longer and longer between its own attempts.
        self.namenode.wait_until(lambda: listens(self._ports["hdfs_namenode"]), _START_SECONDS)
        self.datanode.wait_until(self.healthy, _START_SECONDS)

    def stop(self) -> None:
        """The DataNode first, so that the NameNode still hears of it."""
        self.datanode.stop()
        self.namenode.stop()

    def kill(self) -> None:
        """Both, as when the machine fails."""
        self.namenode.kill()
        self.datanode.kill()

    def healthy(self) -> str | None:
        """None when a small file can be written and read."""
        ended = [daemon.name for daemon in (self.namenode, self.datanode) if daemon.pid is None]
        if ended:
            return f"{' and '.join(ended)}: the process has ended"
        files = HdfsFiles(self.url, "/")
        written = secrets.token_bytes(16)
        try:
            files.write(_PROBE, written)
            return None if files.read(_PROBE) == written else f"{_PROBE} is not what was written"
        except CustodyError as error:
            return str(error)

    @cached_property
    def java(self) -> list[str]:
        """The start of a command that runs a class of Hadoop's on this cluster's settings."""
        class_path = f"{self._folder / 'conf'}:{jars('hdfs')}/*"
        return ["java", f"-Xmx{_HEAP}", *_JAVA_OPTIONS, "-cp", class_path]

    @property
    def _environment(self) -> dict[str, str]:
        # The superuser is who the client is, whatever HADOOP_USER_NAME our caller has.
        return {"HADOOP_USER_NAME": os.environ.get("HADOOP_USER_NAME") or getpass.getuser()}

    def _configure(self) -> None:
        conf = self._folder / "conf"
        # The pages of both servers, which the jars do not have at the place they look at; nobody needs them here.
        for pages in ("hdfs", "datanode"):
            (conf / "webapps" / pages).mkdir(parents=True, exist_ok=True)
        write_site(conf / "core-site.xml", {"fs.defaultFS": self.url, "hadoop.tmp.dir": str(self._folder / "scratch")})
        write_site(
            conf / "hdfs-site.xml",
            {
                "dfs.replication": "1",
                "dfs.namenode.name.dir": (self._folder / "name").as_uri(),
                "dfs.datanode.data.dir": (self._folder / "data").as_uri(),
                "dfs.namenode.http-address": self._at("hdfs_namenode_http"),
                "dfs.datanode.address": self._at("hdfs_datanode"),
                "dfs.datanode.http.address": self._at("hdfs_datanode_http"),
                "dfs.datanode.ipc.address": self._at("hdfs_datanode_ipc"),
                "dfs.datanode.hostname": "localhost",
                # Loopback has no name that could be looked up again.
                "dfs.namenode.datanode.registration.ip-hostname-check": "false",
                # After a start one DataNode's report is all there is to wait for.
                "dfs.namenode.safemode.extension": "0",
                "dfs.heartbeat.interval": "1",
            },
        )
        (conf / "log4j.properties").write_text(_LOGGING, encoding="utf-8")

    def _at(self, name: str) -> str:
        return f"{LOOPBACK}:{self._ports[name]}"

    def _format(self) -> None:
        command = [*self.java, f"{_SERVERS}.namenode.NameNode", "-format", "-force", "-nonInteractive"]
        environment = {**os.environ, **self._environment}
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise ServiceFailed(f"the NameNode did not format {self._folder / 'name'} within {_FORMAT_SECONDS} s") from error
        if done.returncode != 0:
            raise ServiceFailed(f"the NameNode cannot format {self._folder / 'name'}:\n{(done.stdout + done.stderr)[-2000:]}")
