"""The tables of reservations; services/CONTRACT.md names the columns that the auditor reads."""

LIVE = "state IN ('PENDING', 'RESERVED', 'CHARGED', 'COMPENSATING')"
"""Sagas that still need work: all but domain.TERMINAL."""

HOLDS_KEY = """(state IN ('PENDING', 'RESERVED', 'CHARGED', 'CONFIRMED')
    OR failure_mechanism IN ('sold_out', 'payment_declined'))"""
"""domain.holds_key as SQL; a unique index over it is what enforces one saga per idempotency key."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sagas (
    reservation_id text PRIMARY KEY,
    idempotency_key text NOT NULL,
    user_id text NOT NULL,
    event_id text NOT NULL,
    quantity integer NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    lease_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    failure_status integer,
    failure_mechanism text,
    failure_origin text,
    failure_link text,
    failure_detail text,
    refund_due boolean NOT NULL DEFAULT false,
    notification_sent boolean NOT NULL DEFAULT false,
    trace_id text NOT NULL,
    span_id text NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS sagas_one_per_key ON sagas (idempotency_key) WHERE {HOLDS_KEY};
CREATE INDEX IF NOT EXISTS sagas_live ON sagas (lease_until) WHERE {LIVE};

CREATE TABLE IF NOT EXISTS saga_log (
    reservation_id text NOT NULL,
    version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    from_state text,
    to_state text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (reservation_id, version)
);

CREATE TABLE IF NOT EXISTS outbox (
    reservation_id text PRIMARY KEY,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    delivered_at timestamptz
);
CREATE INDEX IF NOT EXISTS outbox_undelivered ON outbox (due_at) WHERE delivered_at IS NULL;
"""
