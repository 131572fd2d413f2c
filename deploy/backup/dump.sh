#!/bin/sh
# Dumps the whole database into one file with pg_dump; prints the file's name.
#
#   PGHOST=… PGUSER=officepro_backup PGDATABASE=officepro dump.sh FOLDER
#
# The connection is set by libpq's variables (PGHOST, PGPORT, PGUSER, PGPASSFILE, PGDATABASE). The dump is a snapshot of the
# time at which it began. The file contains patient records, and so does every copy.
# A dump that fails or is stopped leaves no files behind.
set -eu
umask 077

folder=${1:?usage: dump.sh FOLDER}
[ -d "$folder" ] || { echo "dump.sh: $folder is not a folder: make it first" >&2 && exit 1; }
file=$folder/officepro-$(date -u +%Y%m%dT%H%M%SZ).dump
trap 'rm -f "$file.part"' EXIT
trap 'exit 1' HUP INT TERM
pg_dump --format=custom --file="$file.part"
pg_restore --file=/dev/null "$file.part" # reads all of it
sync "$file.part"
mv "$file.part" "$file"
if [ -n "${TEXTFILE_DIR:-}" ]; then # for node_exporter, and the alert OfficeproBackupTooOld
    metric=$TEXTFILE_DIR/officepro_backup_dump.prom
    echo "officepro_backup_last_success_timestamp_seconds{kind=\"dump\"} $(date +%s)" >"$metric.$$"
    chmod 644 "$metric.$$"
    mv "$metric.$$" "$metric"
fi
echo "$file"
