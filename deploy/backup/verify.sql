-- Is what was restored whole? By a superuser or officepro_backup:
--
--   psql --dbname=officepro --file=deploy/backup/verify.sql
--
-- Fails with the first thing that is not as it must be. The disclosure ledger has a look of its own:
-- `officepro disclosure verify`.
\set ON_ERROR_STOP on
DO $$
DECLARE
    wrong record;
    jumps bigint[];  -- what after-restore.sql has left out, by itself and one after the other
BEGIN
    WITH jump AS (
        SELECT number, (value ->> 'skip')::bigint AS skip
        FROM jsonb_array_elements(coalesce(obj_description('log_head'::regclass), '[]')::jsonb)
            WITH ORDINALITY AS jump (value, number)
    )
    SELECT array_agg((SELECT sum(skip) FROM jump WHERE number BETWEEN first.number AND last.number)) INTO jumps
    FROM jump AS first JOIN jump AS last ON last.number >= first.number;

    SELECT * INTO wrong FROM (
        SELECT practice_id, log_id, lead(log_id, 1, head.last + 1) OVER (PARTITION BY practice_id ORDER BY log_id)
               - log_id - 1 AS missing
        FROM log JOIN log_head head USING (practice_id)
    ) AS step WHERE missing <> 0 AND missing <> ALL (coalesce(jumps, '{}')) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'in the log of practice %, % events are missing after %',
            wrong.practice_id, wrong.missing, wrong.log_id;
    END IF;

    SELECT practice_id, dispatch.last_log_id, head.last INTO wrong
    FROM dispatch_state dispatch JOIN log_head head USING (practice_id) WHERE dispatch.last_log_id > head.last LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'webhooks of practice % were sent up to %, and its log ends at %',
            wrong.practice_id, wrong.last_log_id, wrong.last;
    END IF;

    SELECT * INTO wrong FROM (
        SELECT practice_id, visit_id, busy_starts_at, lag(visit_id) OVER of_provider AS before,
               max(busy_ends_at) OVER (of_provider ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
        FROM visit WHERE status IN ('booked', 'held')
        WINDOW of_provider AS (PARTITION BY practice_id, provider_id ORDER BY busy_starts_at)
    ) AS visited WHERE busy_starts_at < busy_until LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'visit % of practice % takes time of its provider that is taken, perhaps by %',
            wrong.visit_id, wrong.practice_id, wrong.before;
    END IF;

    SELECT conrelid::regclass AS of, conname INTO wrong FROM pg_constraint WHERE NOT convalidated LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'constraint % of % does not hold for all rows', wrong.conname, wrong.of;
    END IF;
END $$;

SELECT (SELECT version_num FROM alembic_version) AS revision, (SELECT count(*) FROM practice) AS practices,
       (SELECT count(*) FROM visit) AS visits, (SELECT sum(last) FROM log_head) AS events,
       (SELECT max(occurred_at) FROM log) AS newest_event;
