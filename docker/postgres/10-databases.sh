#!/bin/sh
# The image runs this once, when its data folder is new. Creates one database per stateful service, owned by a role of
# the same name that cannot access any other database.
set -eu
for name in reservations inventory payments; do
  psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username postgres --dbname postgres \
    --set name="$name" --set password="$(cat "/run/credentials/$name")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
