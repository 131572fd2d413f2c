#!/bin/sh
# Runs prepare.sql with the passwords from files:
#
#   PGHOST=db.example.com SECRETS=secrets PREPARE_SQL=deploy/postgres/prepare.sql deploy/postgres/prepare.sh
#
# SECRETS is the folder created by make-secrets.sh. Connects as the superuser postgres, whose password psql reads from
# ~/.pgpass or PGPASSWORD. Safe to repeat. The PostgreSQL image runs it once, after creating an empty server (compose.yaml).
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
script=${PREPARE_SQL:-/officepro/prepare.sql}

refuse() {
    echo "prepare.sh: $1; nothing was changed" >&2
    exit 1
}
[ -d "$SECRETS" ] || refuse "SECRETS names $SECRETS, which is not a folder: name the one that make-secrets.sh has made"
for name in owner_password application_password backup_password; do
    password=$(cat "$SECRETS/$name" 2>/dev/null) ||
        refuse "$SECRETS/$name cannot be read: SECRETS must name the folder that make-secrets.sh has made"
    [ -n "$password" ] || refuse "$SECRETS/$name is empty"
done
[ -r "$script" ] || refuse "PREPARE_SQL names $script, which cannot be read: name deploy/postgres/prepare.sql"

# psql reads the files itself, so that no password is visible in a process list.
# shellcheck disable=SC2016
psql --no-psqlrc --quiet --dbname=postgres --username=postgres \
    --command='\set owner_password `cat "$SECRETS/owner_password"`' \
    --command='\set application_password `cat "$SECRETS/application_password"`' \
    --command='\set backup_password `cat "$SECRETS/backup_password"`' \
    --file="$script"
