-- After a restore that lost time (to a moment in the past, or from a dump), before the API is started again:
--
--   psql --dbname=officepro --file=deploy/backup/after-restore.sql
--
-- Partners have received numbers that belong to the lost time: of visits, patients, tickets and events. Without this script
-- they would be assigned again, for another patient's visit, and webhook receivers would discard new events as duplicates.
-- So every sequence is advanced far beyond the numbers that can have been assigned: those of records by a million
-- (`-v skip=…`), those of events by as many as a practice has in some days (`-v skip_events=…`), because clients that pull
-- iterate over them. Run as a superuser. All restored events must have been fanned out: run the worker first, and
-- nothing else.
\set ON_ERROR_STOP on
\if :{?skip}
\else
    \set skip 1000000
\endif
\if :{?skip_events}
\else
    \set skip_events 50000
\endif
BEGIN;
LOCK TABLE log_head IN EXCLUSIVE MODE;
-- The cursor of a practice without any fan-out so far is advanced too, so it must exist.
INSERT INTO dispatch_state (practice_id) SELECT practice_id FROM log_head ON CONFLICT DO NOTHING;
DO $$
DECLARE
    behind bigint;
BEGIN
    SELECT count(*) INTO behind FROM log_head head JOIN dispatch_state dispatch USING (practice_id)
    WHERE head.last > dispatch.last_log_id;
    IF behind > 0 THEN
        RAISE EXCEPTION 'the events of % practices are not fanned out yet: let the worker run first', behind;
    END IF;
END $$;
-- verify.sql reads the jump from this comment.
SELECT format('COMMENT ON TABLE log_head IS %L', coalesce(obj_description('log_head'::regclass), '[]')::jsonb
              || jsonb_build_object('at', now(), 'skip', :skip_events)) AS step \gexec
UPDATE log_head SET last = last + :skip_events;
UPDATE dispatch_state SET last_log_id = last_log_id + :skip_events;
SELECT format('SELECT setval(%L, nextval(%L) + %s)', name, name, :skip) AS step
FROM (SELECT seqrelid::regclass::text AS name FROM pg_sequence
      JOIN pg_class ON pg_class.oid = seqrelid AND relnamespace = 'public'::regnamespace) AS sequence \gexec
COMMIT;
