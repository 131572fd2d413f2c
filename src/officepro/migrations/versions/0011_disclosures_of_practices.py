"""Insert disclosures of several practices in one statement, and so in one commit."""

from alembic import op

revision = "0011"
down_revision = "0010"

DISCLOSURES = """
-- Calls append_disclosures for one practice after the other: of each the answers from `firsts` to `lasts`. The wall
-- holds each part to its practice. They come in ascending order, so that nobody waits for somebody who waits for him.
CREATE FUNCTION append_disclosures_of_practices(
    practices bigint[], firsts int[], lasts int[], keys bigint[], partners bigint[], methods text[], endpoints text[],
    requests text[], patients text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first int;
    last int;
BEGIN
    FOR i IN 1..cardinality(practices) LOOP
        first := firsts[i];
        last := lasts[i];
        PERFORM set_config('app.practice', practices[i]::text, true);
        PERFORM append_disclosures(practices[i], keys[first:last], partners[first:last], methods[first:last],
                                   endpoints[first:last], requests[first:last], patients[first:last]);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION append_disclosures_of_practices FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_disclosures_of_practices TO officepro_app;
"""


def upgrade() -> None:
    op.execute(DISCLOSURES)


def downgrade() -> None:
    op.execute("DROP FUNCTION append_disclosures_of_practices")
