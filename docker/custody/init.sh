#!/bin/sh
# Once before the services, and again after an update or a change of people; what stands already stays. Airflow's users are the
# register's people: a new one's first password is put into the instance's folder.
set -eu
airflow db migrate
custody init --settings /etc/custody/settings.toml
custody person list --json | python /opt/bin/users.py "$CUSTODY_HOME/airflow_passwords.json"
