#!/bin/sh
# Makes every secret that an installation needs, a file for each; those that are there stay as they are.
#
#   make-secrets.sh FOLDER [DATABASE_HOST]
#
# Only the folder's owner may enter it. The files in it may be read by all, because a container sees the file alone, as
# whatever user it runs under. For Kubernetes: kubectl create secret generic officepro --from-file=FOLDER
set -eu
umask 077

folder=${1:?usage: make-secrets.sh FOLDER [DATABASE_HOST]}
host=${2:-database}
mkdir -p "$folder"
chmod 700 "$folder"

random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
keep() {
    [ -e "$folder/$1" ] && return
    printf '%s' "$2" >"$folder/$1"
    chmod 444 "$folder/$1"
}

for name in postgres_password owner_password application_password backup_password admin_secret; do
    keep "$name" "$(random)"
done
for name in token_keys encryption_keys; do
    keep "$name" "first:$(random)"
done
keep owner_database_url "postgresql://officepro_owner:$(cat "$folder/owner_password")@$host/officepro"
keep database_url "postgresql://officepro:$(cat "$folder/application_password")@$host/officepro"
