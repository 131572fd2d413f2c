#!/bin/sh
# Copies the whole server; with the archived WAL it can be restored to any later time. Prints the copy's folder.
#
#   PGHOST=… PGUSER=officepro_backup base-backup.sh FOLDER
#
# The server keeps running meanwhile. The copy is verified against its checksums before it is kept. A copy that
# fails or is stopped leaves no files behind.
set -eu
umask 077

folder=${1:?usage: base-backup.sh FOLDER}
[ -d "$folder" ] || { echo "base-backup.sh: $folder is not a folder: make it first" >&2 && exit 1; }
copy=$folder/base-$(date -u +%Y%m%dT%H%M%SZ)
trap 'rm -rf "$copy.part"' EXIT
trap 'exit 1' HUP INT TERM
pg_basebackup --pgdata="$copy.part" --checkpoint=fast --wal-method=stream --manifest-checksums=SHA256
pg_verifybackup --quiet "$copy.part"
mv "$copy.part" "$copy"
if [ -n "${TEXTFILE_DIR:-}" ]; then # for node_exporter, and the alert OfficeproBackupTooOld
    metric=$TEXTFILE_DIR/officepro_backup_base.prom
    echo "officepro_backup_last_success_timestamp_seconds{kind=\"base\"} $(date +%s)" >"$metric.$$"
    chmod 644 "$metric.$$"
    mv "$metric.$$" "$metric"
fi
echo "$copy"
