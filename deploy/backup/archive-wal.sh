#!/bin/sh
# Archives one completed WAL file, as PostgreSQL's archive_command:
#
#   archive_command = '/path/to/archive-wal.sh %p %f /path/to/archive'
#
# Never overwrites a file: an existing file of this name with different content is an error that an operator must resolve.
# Exit code 0 means that the file is on disk; PostgreSQL then removes its own copy.
set -eu
umask 077

source=${1:?usage: archive-wal.sh PATH NAME ARCHIVE}
name=${2:?usage: archive-wal.sh PATH NAME ARCHIVE}
archive=${3:?usage: archive-wal.sh PATH NAME ARCHIVE}

[ -d "$archive" ] || { echo "archive-wal.sh: $archive is not a folder" >&2 && exit 1; }
if [ -e "$archive/$name" ]; then
    cmp -s "$source" "$archive/$name" && exit 0
    echo "archive-wal.sh: $archive/$name is there already, and is another" >&2
    exit 1
fi
trap 'rm -f "$archive/.$name.part"' EXIT
cp "$source" "$archive/.$name.part"
sync "$archive/.$name.part"
mv "$archive/.$name.part" "$archive/$name"
sync "$archive"
