"""Writes to visits by other programs leave a marker row, so that a cache can be validated without reading the visits.
Bookings are passed as one text, and check one visit per room."""

from alembic import op

revision = "0013"
down_revision = "0012"

WATCH = """
-- What changes which times are taken moves the practice's counter, or is a hold; but not where others write visits,
-- who know nothing of that and must not be made to wait for one another, or we for them. So each of their transactions
-- leaves a row that no other ever leaves, and takes away those that it finds.
CREATE TABLE visit_written_elsewhere (
    practice_id bigint NOT NULL,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT visit_written_elsewhere_key PRIMARY KEY (practice_id, transaction_id)
);
SELECT raise_wall('visit_written_elsewhere', 'SELECT, INSERT');
SELECT spread_table('visit_written_elsewhere');
-- SECURITY DEFINER works as the owner, whom the forced wall would hold as well.
CREATE POLICY noted_by_trigger ON visit_written_elsewhere TO CURRENT_USER USING (true);

CREATE FUNCTION note_visits_written_elsewhere() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    practices bigint[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        practices := ARRAY(SELECT practice_id FROM practice);
    ELSE
        practices := ARRAY(SELECT DISTINCT practice_id FROM written);
    END IF;
    INSERT INTO visit_written_elsewhere (practice_id) SELECT unnest(practices) ON CONFLICT DO NOTHING;
    DELETE FROM visit_written_elsewhere AS gone
    USING (SELECT practice_id, transaction_id FROM visit_written_elsewhere
           WHERE practice_id = ANY (practices) AND transaction_id <> pg_current_xact_id()
           FOR UPDATE SKIP LOCKED) AS found
    WHERE gone.practice_id = found.practice_id AND gone.transaction_id = found.transaction_id;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION note_visits_written_elsewhere FROM PUBLIC;

-- A distributed table takes no triggers; where the database is distributed, nothing is remembered that needs them.
CREATE FUNCTION watch_visits() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        IF EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrel = 'visit'::regclass) THEN
            RETURN;
        END IF;
    END IF;
    CREATE TRIGGER visit_inserted_elsewhere AFTER INSERT ON visit REFERENCING NEW TABLE AS written FOR EACH STATEMENT
        WHEN (current_user <> 'officepro_app') EXECUTE FUNCTION note_visits_written_elsewhere();
    CREATE TRIGGER visit_updated_elsewhere AFTER UPDATE ON visit REFERENCING NEW TABLE AS written FOR EACH STATEMENT
        WHEN (current_user <> 'officepro_app') EXECUTE FUNCTION note_visits_written_elsewhere();
    -- It may have been another practice's before.
    CREATE TRIGGER visit_given_away_elsewhere AFTER UPDATE ON visit REFERENCING OLD TABLE AS written FOR EACH STATEMENT
        WHEN (current_user <> 'officepro_app') EXECUTE FUNCTION note_visits_written_elsewhere();
    CREATE TRIGGER visit_deleted_elsewhere AFTER DELETE ON visit REFERENCING OLD TABLE AS written FOR EACH STATEMENT
        WHEN (current_user <> 'officepro_app') EXECUTE FUNCTION note_visits_written_elsewhere();
    CREATE TRIGGER visit_truncated_elsewhere AFTER TRUNCATE ON visit FOR EACH STATEMENT
        EXECUTE FUNCTION note_visits_written_elsewhere();
END $$;
SELECT watch_visits();
DROP FUNCTION watch_visits();
"""

BOOKINGS = """
-- Books one visit after the other, each as the statement of visit_writes.py would, in the first of its `rooms` that is
-- still free, and puts on record that it was told. `bookings` is a list of objects, whose names are those of `wanted`.
-- The wall holds each to its practice. They come in ascending order of practices, so that nobody waits for somebody who
-- waits for him. One that meets a constraint is left out, and so is, of several, one whose practice is at work for
-- long: then `refused_by` is the constraint's name or `busy`, and nothing of it stays.
CREATE FUNCTION book_visits(bookings json) RETURNS TABLE (visit_id bigint, room_id bigint, refused_by text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    several constant boolean := json_array_length(bookings) > 1;
    wanted record;
    bound_to bigint;
    number bigint;
BEGIN
    IF several THEN
        PERFORM set_config('lock_timeout', '50ms', true);
    END IF;
    FOR wanted IN
        SELECT * FROM json_to_recordset(bookings) AS one (
            practice_id bigint, api_key_id bigint, patient_id bigint, provider_id bigint, rooms bigint[],
            visit_type text, starts_at timestamptz, ends_at timestamptz, provider_starts_at timestamptz,
            provider_ends_at timestamptz, busy_starts_at timestamptz, busy_ends_at timestamptz, complaint text,
            notes text, partner_id bigint, method text, endpoint text, request_id text)
    LOOP
        IF bound_to IS DISTINCT FROM wanted.practice_id THEN
            bound_to := wanted.practice_id;
            PERFORM set_config('app.practice', bound_to::text, true);
        END IF;
        refused_by := NULL;
        BEGIN
            -- From here on it is our turn, and what the others have written is seen.
            UPDATE log_head SET last = last + 1 WHERE practice_id = wanted.practice_id
                RETURNING last INTO STRICT number;
            -- What takes a room never overlaps: of all that begins before this visit ends, the last ends last.
            SELECT room INTO book_visits.room_id
            FROM unnest(wanted.rooms) WITH ORDINALITY AS one (room, place)
            WHERE coalesce((
                SELECT ends_at FROM visit
                WHERE practice_id = wanted.practice_id AND room_id = room AND starts_at < wanted.ends_at
                AND status IN ('booked', 'held') ORDER BY starts_at DESC LIMIT 1) <= wanted.starts_at, true)
            ORDER BY place LIMIT 1;
            IF NOT FOUND THEN  -- then the constraint says so
                book_visits.room_id := wanted.rooms[1];
            END IF;
            WITH made AS (
                INSERT INTO visit (practice_id, api_key_id, patient_id, provider_id, room_id, needs_room, visit_type,
                                   status, starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at,
                                   busy_ends_at, complaint, notes)
                VALUES (wanted.practice_id, wanted.api_key_id, wanted.patient_id, wanted.provider_id,
                        book_visits.room_id, wanted.rooms IS NOT NULL, wanted.visit_type, 'booked', wanted.starts_at,
                        wanted.ends_at, wanted.provider_starts_at, wanted.provider_ends_at, wanted.busy_starts_at,
                        wanted.busy_ends_at, wanted.complaint, wanted.notes)
                RETURNING visit_id
            ),
            history AS (
                INSERT INTO visit_history (practice_id, visit_id, from_status, to_status, from_starts_at, to_starts_at,
                                           api_key_id, reason)
                SELECT wanted.practice_id, made.visit_id, NULL, 'booked', NULL, wanted.starts_at, wanted.api_key_id,
                       NULL FROM made
            ),
            logged AS (
                INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
                SELECT wanted.practice_id, number, 'Encounters', 'visit.booked', made.visit_id, jsonb_build_object(
                    'VisitID', made.visit_id, 'PatientID', wanted.patient_id, 'ProviderID', wanted.provider_id)
                FROM made
            )
            SELECT made.visit_id INTO STRICT book_visits.visit_id FROM made;
            PERFORM append_disclosures(
                wanted.practice_id, ARRAY[wanted.api_key_id], ARRAY[wanted.partner_id], ARRAY[wanted.method],
                ARRAY[wanted.endpoint], ARRAY[wanted.request_id], ARRAY['{' || wanted.patient_id || '}']);
        EXCEPTION
            WHEN integrity_constraint_violation THEN
                GET STACKED DIAGNOSTICS refused_by = CONSTRAINT_NAME;
            WHEN lock_not_available THEN
                IF NOT several THEN
                    RAISE;
                END IF;
                refused_by := 'busy';
                PERFORM set_config('lock_timeout', '1ms', true);  -- those behind it have waited enough
        END;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION book_visits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION book_visits TO officepro_app;
"""

# The foreign keys of provider and visit type include the practice; a third check of it slowed down bookings.
UNTIED = "ALTER TABLE visit DROP CONSTRAINT visit_practice"


def upgrade() -> None:
    for part in (WATCH, BOOKINGS, UNTIED):
        op.execute(part)


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION book_visits;
        ALTER TABLE visit ADD CONSTRAINT visit_practice FOREIGN KEY (practice_id) REFERENCES practice;
        DROP TRIGGER IF EXISTS visit_inserted_elsewhere ON visit;
        DROP TRIGGER IF EXISTS visit_updated_elsewhere ON visit;
        DROP TRIGGER IF EXISTS visit_given_away_elsewhere ON visit;
        DROP TRIGGER IF EXISTS visit_deleted_elsewhere ON visit;
        DROP TRIGGER IF EXISTS visit_truncated_elsewhere ON visit;
        DROP FUNCTION note_visits_written_elsewhere;
        DROP TABLE visit_written_elsewhere;
    """)
