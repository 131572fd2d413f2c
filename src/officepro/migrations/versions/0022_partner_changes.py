"""Changes of company and e-mail, requested by a partner and approved by an administrator."""

from alembic import op

revision = "0022"
down_revision = "0021"

CHANGES = """
CREATE SEQUENCE partner_change_id_seq;
CREATE TABLE partner_change (
    partner_change_id bigint DEFAULT nextval('partner_change_id_seq') CONSTRAINT partner_change_key PRIMARY KEY,
    partner_id bigint NOT NULL,
    api_key_id bigint NOT NULL,  -- that requested it
    company text,  -- NULL: unchanged
    email text,  -- NULL: unchanged
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT partner_change_status CHECK (status IN ('pending', 'approved', 'denied')),
    requested_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    CONSTRAINT partner_change_of_something CHECK (company IS NOT NULL OR email IS NOT NULL),
    CONSTRAINT partner_change_decision CHECK ((status = 'pending') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX partner_change_pending ON partner_change (partner_id) WHERE status = 'pending';
SELECT spread_table('partner_change');
ALTER TABLE partner_change ADD CONSTRAINT partner_change_partner FOREIGN KEY (partner_id) REFERENCES partner;
ALTER TABLE partner_change ADD CONSTRAINT partner_change_api_key FOREIGN KEY (api_key_id) REFERENCES api_key;
GRANT SELECT, INSERT, UPDATE, DELETE ON partner_change TO officepro_system;
GRANT USAGE ON SEQUENCE partner_change_id_seq TO officepro_system;
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    op.execute("DROP TABLE partner_change; DROP SEQUENCE partner_change_id_seq")
