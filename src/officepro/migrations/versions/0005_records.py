"""Products and their owners, the knowledge base, tickets, and access requests."""

from alembic import op

revision = "0005"
down_revision = "0004"

PRODUCTS = """
-- Global: products belong to a vendor, and a vendor to the partner that first wrote it or that an admin gave it to.
CREATE TABLE vendor (
    vendor_code text COLLATE "C" CONSTRAINT vendor_key PRIMARY KEY
        CONSTRAINT vendor_code_length CHECK (length(vendor_code) BETWEEN 1 AND 50),
    partner_id bigint NOT NULL CONSTRAINT vendor_partner REFERENCES partner,
    created_at timestamptz NOT NULL DEFAULT now(),
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX vendor_of_partner ON vendor (partner_id);
-- A writer locks its vendors, for which PostgreSQL wants the right to update a column: this one, not the owner.
GRANT SELECT, INSERT, UPDATE (written_at) ON vendor TO officepro_app;
GRANT SELECT, INSERT, UPDATE ON vendor TO officepro_system;

CREATE TABLE product (
    vendor_code text COLLATE "C" NOT NULL CONSTRAINT product_vendor REFERENCES vendor,
    product_code text COLLATE "C" NOT NULL
        CONSTRAINT product_code_length CHECK (length(product_code) BETWEEN 1 AND 100),
    product text NOT NULL CONSTRAINT product_length CHECK (length(product) BETWEEN 1 AND 200),
    retail_price numeric(10, 2) NOT NULL CONSTRAINT product_retail_price CHECK (retail_price BETWEEN 0 AND 99999999.99),
    description text,
    category text,
    upc text,
    cost numeric(10, 2) CONSTRAINT product_cost CHECK (cost BETWEEN 0 AND 99999999.99),
    active boolean NOT NULL DEFAULT true,
    found_by tsvector NOT NULL,  -- the words of name and code, folded, without positions
    updated_by bigint,  -- the key; NULL: the house itself
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT product_key PRIMARY KEY (vendor_code, product_code)
);
CREATE INDEX product_found_by ON product USING gin (found_by);
GRANT SELECT, INSERT, UPDATE ON product TO officepro_app;
GRANT SELECT ON product TO officepro_system;

-- Who changed what, and when. NULL: the product came about.
CREATE SEQUENCE product_change_id_seq;
CREATE TABLE product_change (
    product_change_id bigint DEFAULT nextval('product_change_id_seq') CONSTRAINT product_change_key PRIMARY KEY,
    vendor_code text COLLATE "C" NOT NULL,
    product_code text COLLATE "C" NOT NULL,
    was jsonb,
    became jsonb NOT NULL,
    partner_id bigint,
    api_key_id bigint,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT product_change_product FOREIGN KEY (vendor_code, product_code) REFERENCES product
);
CREATE INDEX product_change_of_product ON product_change (vendor_code, product_code, product_change_id);
GRANT SELECT, INSERT ON product_change TO officepro_app;
GRANT USAGE ON SEQUENCE product_change_id_seq TO officepro_app;
"""

KNOWLEDGE = """
CREATE SEQUENCE article_id_seq START 1001;
CREATE TABLE article (
    article_id bigint DEFAULT nextval('article_id_seq') CONSTRAINT article_key PRIMARY KEY,
    title text NOT NULL CONSTRAINT article_title_length CHECK (length(title) BETWEEN 1 AND 200),
    article text NOT NULL CONSTRAINT article_length CHECK (length(article) <= 50000),
    category text NOT NULL,
    type text NOT NULL,
    tags text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    version bigint NOT NULL DEFAULT 1,
    updated_by bigint,  -- the key; NULL: an admin
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    document tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', tags || ' ' || category), 'B')
        || setweight(to_tsvector('english', article), 'D')) STORED
);
CREATE INDEX article_document ON article USING gin (document);
GRANT SELECT, UPDATE ON article TO officepro_app;
GRANT SELECT, INSERT, UPDATE ON article TO officepro_system;
GRANT USAGE ON SEQUENCE article_id_seq TO officepro_system;

-- What an article was before each change.
CREATE TABLE article_revision (
    article_id bigint NOT NULL CONSTRAINT article_revision_article REFERENCES article,
    version bigint NOT NULL,
    title text NOT NULL,
    article text NOT NULL,
    category text NOT NULL,
    type text NOT NULL,
    tags text NOT NULL,
    active boolean NOT NULL,
    updated_by bigint,
    updated_at timestamptz NOT NULL,
    CONSTRAINT article_revision_key PRIMARY KEY (article_id, version)
);
GRANT SELECT, INSERT ON article_revision TO officepro_app, officepro_system;
"""

TICKETS = """
CREATE SEQUENCE ticket_id_seq START 1000001;
CREATE TABLE ticket (
    practice_id bigint NOT NULL CONSTRAINT ticket_practice REFERENCES practice,
    ticket_id bigint NOT NULL DEFAULT nextval('ticket_id_seq'),
    subject text NOT NULL CONSTRAINT ticket_subject_length CHECK (length(subject) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'Open'
        CONSTRAINT ticket_status CHECK (status IN ('Open', 'In Progress', 'Waiting', 'Resolved', 'Closed')),
    priority text NOT NULL DEFAULT 'Normal'
        CONSTRAINT ticket_priority CHECK (priority IN ('Low', 'Normal', 'High', 'Urgent')),
    category text NOT NULL DEFAULT '',
    author text NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 1,
    created_by bigint,  -- the key; NULL: the practice itself
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ticket_key PRIMARY KEY (practice_id, ticket_id)
);
CREATE INDEX ticket_by_change ON ticket (practice_id, updated_at, ticket_id);
SELECT raise_wall('ticket', 'SELECT, INSERT, UPDATE');
GRANT USAGE ON SEQUENCE ticket_id_seq TO officepro_app;

CREATE SEQUENCE ticket_comment_id_seq START 1000001;
CREATE TABLE ticket_comment (
    practice_id bigint NOT NULL,
    comment_id bigint NOT NULL DEFAULT nextval('ticket_comment_id_seq'),
    ticket_id bigint NOT NULL,
    comment text NOT NULL CONSTRAINT ticket_comment_length CHECK (length(comment) BETWEEN 1 AND 10000),
    author text NOT NULL,
    created_by bigint,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ticket_comment_key PRIMARY KEY (practice_id, comment_id),
    CONSTRAINT ticket_comment_ticket FOREIGN KEY (practice_id, ticket_id) REFERENCES ticket
);
CREATE INDEX ticket_comment_of_ticket ON ticket_comment (practice_id, ticket_id, comment_id);
SELECT raise_wall('ticket_comment', 'SELECT, INSERT');
GRANT USAGE ON SEQUENCE ticket_comment_id_seq TO officepro_app;

-- One row for each field that a change changed.
CREATE SEQUENCE ticket_history_id_seq;
CREATE TABLE ticket_history (
    practice_id bigint NOT NULL,
    ticket_history_id bigint NOT NULL DEFAULT nextval('ticket_history_id_seq'),
    ticket_id bigint NOT NULL,
    version bigint NOT NULL,  -- that the change made
    field text NOT NULL,
    was text NOT NULL,
    became text NOT NULL,
    api_key_id bigint,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ticket_history_key PRIMARY KEY (practice_id, ticket_history_id),
    CONSTRAINT ticket_history_ticket FOREIGN KEY (practice_id, ticket_id) REFERENCES ticket
);
CREATE INDEX ticket_history_of_ticket ON ticket_history (practice_id, ticket_id, ticket_history_id);
SELECT raise_wall('ticket_history', 'SELECT, INSERT');
GRANT USAGE ON SEQUENCE ticket_history_id_seq TO officepro_app;

-- Tickets are told in the practice's log; no webhook can ask for them (the seeds name its scopes), GET /events can.
ALTER TABLE log DROP CONSTRAINT log_scope;
ALTER TABLE log ADD CONSTRAINT log_scope
    CHECK (scope IN ('Patients', 'Encounters', 'Claims', 'Payments', 'Documents', 'Tickets'));
"""

REQUESTS = """
CREATE SEQUENCE access_request_id_seq;
CREATE TABLE access_request (
    access_request_id bigint DEFAULT nextval('access_request_id_seq') CONSTRAINT access_request_key PRIMARY KEY,
    company text NOT NULL,
    practice text NOT NULL,  -- as it was written: it need not be one of ours
    contact text NOT NULL,
    email text NOT NULL,
    scopes text[] NOT NULL,
    purpose text NOT NULL,
    times_asked integer NOT NULL DEFAULT 1,
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT access_request_status CHECK (status IN ('pending', 'approved', 'denied')),
    reason text,
    partner_id bigint CONSTRAINT access_request_partner REFERENCES partner,
    api_key_id bigint CONSTRAINT access_request_api_key REFERENCES api_key,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_asked_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    CONSTRAINT access_request_decided CHECK ((status = 'pending') = (decided_at IS NULL)),
    CONSTRAINT access_request_approved CHECK ((status = 'approved') = (api_key_id IS NOT NULL))
);
-- Who asks again while the first request is open joins it.
CREATE UNIQUE INDEX access_request_once ON access_request (lower(email), lower(practice)) WHERE status = 'pending';
CREATE INDEX access_request_by_status ON access_request (status, access_request_id);
GRANT SELECT, INSERT, UPDATE ON access_request TO officepro_system;
GRANT USAGE ON SEQUENCE access_request_id_seq TO officepro_system;
"""


def upgrade() -> None:
    for part in (PRODUCTS, KNOWLEDGE, TICKETS, REQUESTS):
        op.execute(part)
