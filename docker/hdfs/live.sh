#!/usr/bin/env bash
# Ends 0 when the NameNode counts a living DataNode: an open port of the DataNode's comes well before that.
set -euo pipefail
exec 3<>/dev/tcp/namenode/9870
printf 'GET /jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState HTTP/1.0\r\n\r\n' >&3
grep -q '"NumLiveDataNodes" : 1' <&3
