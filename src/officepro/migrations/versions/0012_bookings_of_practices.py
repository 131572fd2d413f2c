"""Book visits of several practices in one statement, and so in one commit, each with its disclosure."""

from alembic import op

revision = "0012"
down_revision = "0011"

BOOKINGS = """
-- Books one visit after the other, each as the statement of visit_writes.py would, in the first of its `rooms` (lists
-- as texts) that is still free, and puts on record that it was told. The wall holds each to its practice. They come in
-- ascending order of practices, so that nobody waits for somebody who waits for him. One that meets a constraint is
-- left out, and so is, of several, one whose practice is at work for long: then `refused_by` is the constraint's name
-- or `busy`, and nothing of it stays.
CREATE FUNCTION book_visits_of_practices(
    practices bigint[], keys bigint[], patients bigint[], providers bigint[], rooms text[], visit_types text[],
    starts timestamptz[], ends timestamptz[], provider_starts timestamptz[], provider_ends timestamptz[],
    busy_starts timestamptz[], busy_ends timestamptz[], complaints text[], notes_ text[], partners bigint[],
    methods text[], endpoints text[], requests text[]
) RETURNS TABLE (booked_visit_id bigint, booked_room_id bigint, refused_by text) LANGUAGE plpgsql AS $$
DECLARE
    several constant boolean := cardinality(practices) > 1;
    bound_to bigint;
    number bigint;
BEGIN
    IF several THEN
        PERFORM set_config('lock_timeout', '50ms', true);
    END IF;
    FOR i IN 1..cardinality(practices) LOOP
        IF bound_to IS DISTINCT FROM practices[i] THEN
            bound_to := practices[i];
            PERFORM set_config('app.practice', bound_to::text, true);
        END IF;
        refused_by := NULL;
        BEGIN
            -- From here on it is our turn, and what the others have written is seen.
            UPDATE log_head SET last = last + 1 WHERE practice_id = practices[i] RETURNING last INTO STRICT number;
            SELECT room INTO booked_room_id
            FROM unnest(rooms[i]::bigint[]) WITH ORDINALITY AS one (room, place)
            WHERE NOT EXISTS (
                SELECT FROM visit WHERE practice_id = practices[i] AND room_id = room AND status IN ('booked', 'held')
                AND starts_at > starts[i] - interval '24 hours' AND starts_at < ends[i] AND ends_at > starts[i])
            ORDER BY place LIMIT 1;
            IF NOT FOUND THEN  -- then the constraint says so
                booked_room_id := (rooms[i]::bigint[])[1];
            END IF;
            WITH made AS (
                INSERT INTO visit (practice_id, api_key_id, patient_id, provider_id, room_id, needs_room, visit_type,
                                   status, starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at,
                                   busy_ends_at, complaint, notes)
                VALUES (practices[i], keys[i], patients[i], providers[i], booked_room_id, rooms[i] IS NOT NULL,
                        visit_types[i], 'booked', starts[i], ends[i], provider_starts[i], provider_ends[i],
                        busy_starts[i], busy_ends[i], complaints[i], notes_[i])
                RETURNING visit_id, patient_id, provider_id, status, starts_at
            ),
            history AS (
                INSERT INTO visit_history (practice_id, visit_id, from_status, to_status, from_starts_at, to_starts_at,
                                           api_key_id, reason)
                SELECT practices[i], visit_id, NULL, status, NULL, starts_at, keys[i], NULL FROM made
            ),
            logged AS (
                INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
                SELECT practices[i], number, 'Encounters', 'visit.booked', visit_id,
                       jsonb_build_object('VisitID', visit_id, 'PatientID', patient_id, 'ProviderID', provider_id)
                FROM made
            )
            SELECT visit_id INTO STRICT booked_visit_id FROM made;
            PERFORM append_disclosures(practices[i], keys[i:i], partners[i:i], methods[i:i], endpoints[i:i],
                                       requests[i:i], ARRAY['{' || patients[i] || '}']);
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
REVOKE ALL ON FUNCTION book_visits_of_practices FROM PUBLIC;
GRANT EXECUTE ON FUNCTION book_visits_of_practices TO officepro_app;
"""


def upgrade() -> None:
    op.execute(BOOKINGS)


def downgrade() -> None:
    op.execute("DROP FUNCTION book_visits_of_practices")
