#!/usr/bin/env bash
# HBase in one container: the master with its region server and ZooKeeper in one process, the tables, then the Thrift server.
# They stand together because a single HBase's ZooKeeper listens on loopback only. TABLES names what must be there, a line for
# each namespace: NAMESPACE FAMILY TABLE=REGIONS...
set -euo pipefail
cd /data
server="org.apache.hadoop.hbase"
classes="/opt/server:/opt/server/tools:/opt/server/jars/*"
tries=20
master=""
thrift=""

# In order, since the master flushes what is in memory; one of the two without the other is of no use.
# shellcheck disable=SC2329  # the trap below calls it
stop() {
  local process
  for process in $thrift $master; do
    kill -TERM "$process" 2>/dev/null || continue
    wait "$process" || echo "$process ended $?" >&2
  done
}
trap stop EXIT
trap "exit 0" TERM INT

java -Xmx1g -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError -cp "$classes" "$server.master.HMaster" start &
master=$!
# The tool fails while the master comes up.
while read -ra words; do
  until java -Xmx256m -cp "$classes" CreateTables "${words[@]}"; do
    kill -0 "$master"
    [ $((tries -= 1)) -gt 0 ]
    sleep 3
  done
done <<<"$TABLES"

java -Xmx512m -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError -cp "$classes" "$server.thrift.ThriftServer" start &
thrift=$!
wait -n
exit 1
