#!/bin/sh
# PostgreSQL's client takes a password only from a file that nobody but its reader can read; compose's secrets have the host's modes.
set -eu
umask 077
for role in custody airflow; do
  printf 'postgres:5432:%s:%s:%s\n' "$role" "$role" "$(cat "/run/secrets/${role}_db_password")"
done >"$PGPASSFILE"
umask 027
exec "$@"
