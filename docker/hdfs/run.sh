#!/usr/bin/env bash
# One HDFS server: run.sh namenode or run.sh datanode. A NameNode that was never formatted is formatted first.
set -euo pipefail
classes="/opt/server:/opt/server/jars/*"
case "$1" in
  namenode)
    [ -e /data/name/current/VERSION ] || java -cp "$classes" org.apache.hadoop.hdfs.server.namenode.NameNode -format -force -nonInteractive
    exec java -Xmx256m -cp "$classes" org.apache.hadoop.hdfs.server.namenode.NameNode
    ;;
  datanode) exec java -Xmx256m -cp "$classes" org.apache.hadoop.hdfs.server.datanode.DataNode ;;
  *)
    echo "run.sh namenode or run.sh datanode, not: $1" >&2
    exit 2
    ;;
esac
