#!/bin/sh
# Creates a data folder that PostgreSQL recovers to a given time when it is started.
#
#   restore-to.sh BASE ARCHIVE NEW_DATA_FOLDER MOMENT
#
# BASE is the folder printed by base-backup.sh, from before MOMENT; ARCHIVE is the folder of archive-wal.sh; MOMENT is
# a time with its zone, such as '2026-03-09 14:05:00+00', or `latest` for everything that was archived. Run as the account
# that PostgreSQL runs under. The new server archives no WAL until archiving is turned on again (docs/runbook.md), because two
# servers must never write to one archive.
set -eu
umask 077

usage='usage: restore-to.sh BASE ARCHIVE NEW_DATA_FOLDER MOMENT'
base=${1:?$usage}
archive=${2:?$usage}
new=${3:?$usage}
moment=${4:?$usage}

if [ -n "$(ls -A "$new" 2>/dev/null)" ]; then
    echo "restore-to.sh: $new is not empty" >&2
    exit 1
fi
archive=$(cd "$archive" && pwd)
case $base$archive$moment in
*\'*) echo "restore-to.sh: no name may have a quotation mark in it" >&2 && exit 1 ;;
esac
pg_verifybackup --quiet "$base"
mkdir -p "$new"
chmod 700 "$new"
cp -a "$base/." "$new/"
rm -f "$new/standby.signal" "$new"/.s.PGSQL.* # if the socket is in the data folder, its lock was copied and names a running server
# A base backup of a restored server contains that restore's target: recovery would stop there.
settings=$new/postgresql.auto.conf
targets='^[[:space:]]*(recovery_target[a-z_]*|restore_command|recovery_end_command|archive_cleanup_command|archive_mode)'
sed -E -i "/${targets}[[:space:]]*=/Id" "$settings"
{
    echo "restore_command = 'cp \"$archive/%f\" \"%p\"'"
    echo "archive_mode = off"
    echo "recovery_target_timeline = 'latest'"
    if [ "$moment" != latest ]; then
        echo "recovery_target_time = '$moment'"
        echo "recovery_target_action = 'promote'"
    fi
} >>"$settings"
touch "$new/recovery.signal"
echo "Start PostgreSQL on $new; it takes connections for writing once it has reached $moment. verify.sql says how far it came."
