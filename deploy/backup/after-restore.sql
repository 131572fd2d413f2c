-- After a restore that lost time (to a moment in the past, or from a dump), before the API is started again:
--
--   psql --dbname=officepro --file=deploy/backup/after-restore.sql
--
-- Partners were told numbers of the time that is lost: of visits, people, tickets and events. Without this they would be
-- given out once more, for somebody else's visit, and receivers of webhooks would throw new events away as known ones.
-- So every number goes on far beyond what can have been given out: a record's by a million (`-v skip=…`), an event's by
-- as many as a practice has in some days (`-v skip_events=…`), because who pulls looks through them. By a superuser.
-- It asks that all events which were kept have been fanned out: let the worker run first, and nothing else.
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
-- The cursor of a practice whose webhooks have never been looked at is moved too, and so has to be there.
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
-- The jump is noted where verify.sql finds it.
SELECT format('COMMENT ON TABLE log_head IS %L', coalesce(obj_description('log_head'::regclass), '[]')::jsonb
              || jsonb_build_object('at', now(), 'skip', :skip_events)) AS step \gexec
UPDATE log_head SET last = last + :skip_events;
UPDATE dispatch_state SET last_log_id = last_log_id + :skip_events;
SELECT format('SELECT setval(%L, nextval(%L) + %s)', name, name, :skip) AS step
FROM (SELECT seqrelid::regclass::text AS name FROM pg_sequence
      JOIN pg_class ON pg_class.oid = seqrelid AND relnamespace = 'public'::regnamespace) AS sequence \gexec
COMMIT;
