#!/usr/bin/env bash
# When the server is new: the register's database and Airflow's, each its own role's alone; text sorts by its bytes (locale C).
set -euo pipefail
for role in custody airflow; do
  export role
  psql --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres <<'SQL'
\getenv role role
\set password `cat "/run/secrets/${role}_db_password"`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
REVOKE CONNECT, TEMPORARY ON DATABASE :"role" FROM PUBLIC;
SQL
done
