#!/bin/sh
# Run once by the image of PostgreSQL, when it has made an empty server: prepare.sql, with the passwords from files.
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
# psql has the files read itself, so that no password stands in a list of processes.
# shellcheck disable=SC2016
psql --no-psqlrc --dbname=postgres --username=postgres \
    --command='\set owner_password `cat "$SECRETS/owner_password"`' \
    --command='\set application_password `cat "$SECRETS/application_password"`' \
    --command='\set backup_password `cat "$SECRETS/backup_password"`' \
    --file="${PREPARE_SQL:-/officepro/prepare.sql}"
