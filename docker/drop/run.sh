#!/usr/bin/env bash
# OpenSSH for the drop, and an account for each key in the exchange volume, where custody's admit puts one file for each live
# party and one for the collector. This container reads that volume and holds nothing else of the bank's: no register, no
# keys but its own. Accounts, folders and modes are those of connectors/system_accounts.py.
set -euo pipefail
authorized=/var/lib/custody/exchange/authorized
drop=/srv/drop
every_seconds=3

# Accounts live in the container, files in the volume: the owner of a party's folder is its number for ever.
number() {
  if [ -d "$drop/$1/in" ]; then
    stat --format=%u "$drop/$1/in"
  else
    find "$drop" -mindepth 2 -maxdepth 2 -name in -printf '%U\n' | sort -n | awk 'BEGIN { last = 20000 } { last = $1 } END { print last + 1 }'
  fi
}

# Password "*": locked for passwords only; the "!" that useradd would write locks out keys too.
account() {
  groupadd --gid "$2" "$1"
  useradd --badname --no-create-home --home-dir "$3" --shell /usr/sbin/nologin --password "*" --uid "$2" --gid "$2" --groups exchange "$1"
}

admit() {
  id "$1" &>/dev/null || account "$1" "$(number "$1")" "$drop/$1"
  install --directory "$drop/$1"
  install --directory --owner="$1" --group=collector --mode=2770 "$drop/$1/in"
  install --directory --owner=collector --group="$1" --mode=2750 "$drop/$1/out"
}

follow() {
  local path party
  for path in "$authorized"/*; do
    party=${path##*/}
    # Capitals: no account of the system is named so. A file that is being written begins with a dot.
    if [[ "$party" =~ ^[A-Z][A-Z0-9]{1,9}$ ]]; then
      admit "$party"
    fi
  done
  # Who was locked out stays in as long as his session lives.
  for path in "$drop"/*; do
    party=${path##*/}
    if id "$party" &>/dev/null && [ ! -e "$authorized/$party" ]; then
      pkill -KILL -u "$party" || [ $? -eq 1 ]
    fi
  done
}

shopt -s nullglob
getent group exchange >/dev/null || groupadd exchange
id collector &>/dev/null || account collector 20000 "$drop"
install --directory --owner=root --group=collector --mode=0750 "$drop"
follow
/usr/sbin/sshd -D -e -f /opt/drop/sshd_config &
server=$!
trap 'kill -TERM "$server"; pkill -TERM internal-sftp || true; exit 0' TERM INT
while kill -0 "$server"; do
  sleep "$every_seconds" &
  wait $!
  follow
done
exit 1
