-- Prepares a PostgreSQL for officepro: logins, roles and an empty database. Run once, by a superuser; safe to repeat:
--
--   psql -v owner_password=… -v application_password=… -v backup_password=… -f deploy/postgres/prepare.sql
--
-- officepro_owner   owns the schema; only `officepro migrate` uses it (OFFICEPRO_OWNER_DATABASE_URL)
-- officepro         login of the API and the worker (OFFICEPRO_DATABASE_URL); cannot bypass row-level security
-- officepro_backup  reads all data, for pg_dump and pg_basebackup
\set ON_ERROR_STOP on
\set SHOW_CONTEXT never

-- Check everything that would fail later before any change.
SELECT :SERVER_VERSION_NUM < 160000 AS is_too_old,
       least(length(:'owner_password'), length(:'application_password'), length(:'backup_password')) = 0 AS lacks_password
\gset
\if :is_too_old
    DO $$ BEGIN RAISE 'officepro needs PostgreSQL 16 or newer; nothing was changed'; END $$;
\endif
\if :lacks_password
    DO $$ BEGIN RAISE 'a password is empty; nothing was changed'; END $$;
\endif

SELECT format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', role)
FROM unnest(ARRAY['officepro_app', 'officepro_system', 'officepro_emr']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
SELECT format('CREATE ROLE %I', role)
FROM unnest(ARRAY['officepro_owner', 'officepro', 'officepro_backup']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

ALTER ROLE officepro_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE officepro LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS PASSWORD :'application_password';
GRANT officepro_app, officepro_system TO officepro;
-- Without BYPASSRLS, pg_dump would fail on row-level security.
ALTER ROLE officepro_backup LOGIN NOSUPERUSER BYPASSRLS REPLICATION PASSWORD :'backup_password';
GRANT pg_read_all_data TO officepro_backup;

SELECT 'CREATE DATABASE officepro OWNER officepro_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'officepro') \gexec
\connect officepro
CREATE EXTENSION IF NOT EXISTS btree_gist;
