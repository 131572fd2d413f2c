#!/bin/sh
# Creates every secret that an installation needs, one file each; existing files are not changed.
#
#   make-secrets.sh FOLDER [DATABASE_HOST]
#
# Only the folder's owner can access it. The files in it are readable by all users, because a container mounts single
# files and may run under any user. For Kubernetes: kubectl create secret generic officepro --from-file=FOLDER
set -eu
umask 077

folder=${1:?usage: make-secrets.sh FOLDER [DATABASE_HOST]}
host=${2:-database}

refuse() {
    echo "make-secrets.sh: $1" >&2
    exit 1
}
random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
# Written atomically: an existing file counts as a secret.
keep() {
    [ -n "$2" ] || refuse "no secret could be made for $folder/$1"
    [ -e "$folder/$1" ] && return
    printf '%s' "$2" >"$folder/.$1.part" || refuse "$folder/$1 cannot be written"
    chmod 444 "$folder/.$1.part"
    mv "$folder/.$1.part" "$folder/$1"
}
content() {
    found=$(cat "$folder/$1") || refuse "$folder/$1 cannot be read"
    [ -n "$found" ] || refuse "$folder/$1 is empty: delete it, and it is made anew"
    printf '%s' "$found"
}

[ ! -e "$folder" ] || [ -d "$folder" ] || refuse "$folder is not a folder"
mkdir -p "$folder" || refuse "$folder cannot be made"
chmod 700 "$folder"
for file in "$folder"/*; do
    [ ! -e "$file" ] || content "$(basename "$file")" >/dev/null
done

for name in postgres_password owner_password application_password backup_password admin_secret; do
    secret=$(random)
    keep "$name" "$secret"
done
for name in token_keys encryption_keys; do
    secret=$(random)
    keep "$name" "${secret:+first:$secret}"
done
password=$(content owner_password)
keep owner_database_url "postgresql://officepro_owner:$password@$host/officepro"
password=$(content application_password)
keep database_url "postgresql://officepro:$password@$host/officepro"
for name in owner_database_url database_url; do
    case $(content "$name") in
    *"@$host/officepro") ;;
    *) [ $# -lt 2 ] || echo "make-secrets.sh: $folder/$name names another host than $host and stays as it is" >&2 ;;
    esac
done
