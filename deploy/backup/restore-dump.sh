#!/bin/sh
# Restores a file of dump.sh into a new database of the server, and verifies that it is complete.
#
#   PGHOST=… PGUSER=postgres restore-dump.sh FILE NEW_DATABASE
#
# Run as a superuser, after deploy/postgres/prepare.sql on a new server. OWNER is the login that will own the new database:
# officepro_owner, or postgres for the embedded PostgreSQL of `make run`. An existing database is never changed; a new
# one that could not be restored is dropped.
set -eu

file=${1:?usage: restore-dump.sh FILE NEW_DATABASE}
database=${2:?usage: restore-dump.sh FILE NEW_DATABASE}
here=$(cd "$(dirname "$0")" && pwd)

# Read the whole file first: if that fails, no database is created.
pg_restore --file=/dev/null "$file" || { echo "restore-dump.sh: $file cannot be read; nothing was changed" >&2 && exit 1; }
createdb --template=template0 --owner="${OWNER:-officepro_owner}" "$database"
if ! pg_restore --exit-on-error --jobs="${JOBS:-2}" --dbname="$database" "$file"; then
    dropdb "$database"
    echo "restore-dump.sh: $file was not restored, and $database is gone again" >&2
    exit 1
fi
psql --quiet --no-psqlrc --dbname="$database" --command='ANALYZE'
psql --quiet --no-psqlrc --dbname="$database" --file="$here/verify.sql"
