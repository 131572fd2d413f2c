-- Verifies that a restored database is complete. Run as a superuser or officepro_backup:
--
--   psql --dbname=officepro --file=deploy/backup/verify.sql
--
-- Fails with the first inconsistency. The disclosure log has its own check:
-- `officepro disclosure verify`.
\set ON_ERROR_STOP on
DO $$
DECLARE
    wrong record;
    jumps bigint[];  -- numbers skipped by after-restore.sql, single and consecutive jumps
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

    -- If the log jumps after a cursor, the worker waits for events that do not exist.
    SELECT dispatch.practice_id, dispatch.last_log_id, next.log_id INTO wrong
    FROM dispatch_state dispatch JOIN log_head head USING (practice_id)
         LEFT JOIN LATERAL (SELECT min(log_id) AS log_id FROM log WHERE log.practice_id = dispatch.practice_id
                            AND log.log_id > dispatch.last_log_id) AS next ON true
    WHERE head.last > dispatch.last_log_id AND next.log_id IS DISTINCT FROM dispatch.last_log_id + 1 LIMIT 1;
    IF NOT FOUND THEN  -- a practice without a cursor starts before its first event
        SELECT head.practice_id, 0 AS last_log_id, min(log.log_id) AS log_id INTO wrong
        FROM log_head head LEFT JOIN log USING (practice_id)
        WHERE head.last > 0 AND NOT EXISTS (SELECT FROM dispatch_state d WHERE d.practice_id = head.practice_id)
        GROUP BY head.practice_id HAVING min(log.log_id) IS DISTINCT FROM 1 LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'webhooks of practice % stand still: they were sent up to %, and the next event is %',
            wrong.practice_id, wrong.last_log_id, wrong.log_id;
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

    -- A constraint may be NOT VALID between the revision that adds it and the one that validates it.
    FOR wrong IN SELECT conrelid::regclass AS of, conname FROM pg_constraint WHERE NOT convalidated LOOP
        RAISE NOTICE 'constraint % of % is not validated yet; officepro migrate validates it', wrong.conname, wrong.of;
    END LOOP;
END $$;

SELECT (SELECT version_num FROM alembic_version) AS revision, (SELECT count(*) FROM practice) AS practices,
       (SELECT count(*) FROM visit) AS visits, (SELECT sum(last) FROM log_head) AS events,
       (SELECT max(occurred_at) FROM log) AS newest_event,
       (SELECT max(happened_at) FROM request_log) AS newest_call,
       pg_last_xact_replay_timestamp() AS restored_up_to;  -- the last transaction; NULL once the server was restarted
