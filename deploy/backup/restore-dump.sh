#!/bin/sh
# Puts what dump.sh has written into a new database of the server, and looks whether it is whole.
#
#   PGHOST=… PGUSER=postgres restore-dump.sh FILE NEW_DATABASE
#
# By a superuser, after deploy/postgres/prepare.sql on a new server. A database that is there is never touched; one that
# could not be filled is taken away again.
set -eu

file=${1:?usage: restore-dump.sh FILE NEW_DATABASE}
database=${2:?usage: restore-dump.sh FILE NEW_DATABASE}
here=$(cd "$(dirname "$0")" && pwd)

createdb --template=template0 --owner=officepro_owner "$database"
if ! pg_restore --exit-on-error --jobs="${JOBS:-2}" --dbname="$database" "$file"; then
    dropdb "$database"
    echo "restore-dump.sh: $file was not restored, and $database is gone again" >&2
    exit 1
fi
psql --quiet --no-psqlrc --dbname="$database" --command='ANALYZE'
psql --quiet --no-psqlrc --dbname="$database" --file="$here/verify.sql"
