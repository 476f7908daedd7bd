-- Users, tables, jobs and what they leave behind. The same text for SQLite and PostgreSQL.
-- Ids come from `sequences`; times are milliseconds since 1970 UTC, 0 is not yet; a text that is not there is ''.

CREATE TABLE sequences (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id BIGINT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    disabled BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY,
    family_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_ms);

CREATE TABLE datasets (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    object_key TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('profiling', 'ready', 'invalid')),
    n_rows BIGINT NOT NULL,
    n_columns BIGINT NOT NULL,
    profile TEXT NOT NULL,
    kinds TEXT NOT NULL,
    error TEXT NOT NULL,
    profile_job_id BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);
CREATE INDEX datasets_user ON datasets (user_id, id);

-- No foreign key to datasets and models: they may be deleted while the history of their jobs stays.
CREATE TABLE jobs (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('pending_approval', 'queued', 'running', 'completed', 'failed', 'cancelled', 'rejected')),
    priority BIGINT NOT NULL,
    dataset_id BIGINT NOT NULL,
    model_id BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    n_rows BIGINT NOT NULL,
    timeout_ms BIGINT NOT NULL,
    cost DOUBLE PRECISION NOT NULL,
    blocked BIGINT NOT NULL,
    unlimited BIGINT NOT NULL,
    need TEXT NOT NULL,
    spec TEXT NOT NULL,
    plan TEXT NOT NULL,
    token BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    crashes BIGINT NOT NULL,
    memory_failures BIGINT NOT NULL,
    worker_id BIGINT NOT NULL,
    device TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    run_at_ms BIGINT NOT NULL,
    started_ms BIGINT NOT NULL,
    attempt_ms BIGINT NOT NULL,
    cancel_ms BIGINT NOT NULL,
    finished_ms BIGINT NOT NULL,
    cancel_reason TEXT NOT NULL,
    progress TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    result TEXT NOT NULL,
    error_class TEXT NOT NULL,
    error_message TEXT NOT NULL,
    error_detail TEXT NOT NULL
);
CREATE INDEX jobs_user ON jobs (user_id, id);
CREATE INDEX jobs_unended ON jobs (state, id) WHERE finished_ms = 0;
CREATE INDEX jobs_of_dataset ON jobs (dataset_id) WHERE finished_ms = 0 AND dataset_id > 0;
CREATE INDEX jobs_of_model ON jobs (model_id) WHERE finished_ms = 0 AND model_id > 0;
CREATE INDEX jobs_of_user_unended ON jobs (user_id) WHERE finished_ms = 0 AND unlimited = 0;
CREATE INDEX jobs_ended ON jobs (finished_ms) WHERE finished_ms > 0;
CREATE INDEX jobs_failed ON jobs (id) WHERE state = 'failed';

CREATE TABLE outbox (
    job_id BIGINT PRIMARY KEY,
    token BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE idempotency (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    idem_key TEXT NOT NULL,
    hash TEXT NOT NULL,
    object_id BIGINT NOT NULL,
    status BIGINT NOT NULL,
    reply TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, idem_key)
);
CREATE INDEX idempotency_age ON idempotency (created_ms);

CREATE TABLE attempts (
    job_id BIGINT NOT NULL,
    token BIGINT NOT NULL,
    worker_id BIGINT NOT NULL,
    device TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    error_class TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, token)
);

CREATE TABLE artifacts (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    job_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    object_key TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (job_id, role)
);

CREATE TABLE models (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    job_id BIGINT NOT NULL UNIQUE,
    dataset_id BIGINT NOT NULL,
    model TEXT NOT NULL,
    dataset_name TEXT NOT NULL,
    object_key TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    n_rows BIGINT NOT NULL,
    n_columns BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    params TEXT NOT NULL,
    quality TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX models_user ON models (user_id, id);

CREATE TABLE sample_parts (
    job_id BIGINT NOT NULL,
    n BIGINT NOT NULL,
    n_rows BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    object_key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    sent_ms BIGINT NOT NULL,
    PRIMARY KEY (job_id, n)
);
CREATE INDEX sample_parts_key ON sample_parts (object_key) WHERE sent_ms = 0;

CREATE TABLE doomed_objects (
    object_key TEXT PRIMARY KEY,
    created_ms BIGINT NOT NULL
);

CREATE TABLE workers (
    id BIGINT PRIMARY KEY,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    device TEXT NOT NULL,
    need TEXT NOT NULL,
    pid BIGINT NOT NULL,
    job_id BIGINT NOT NULL,
    started_ms BIGINT NOT NULL,
    beat_ms BIGINT NOT NULL
);

CREATE TABLE paused_classes (
    need TEXT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE audit (
    id BIGINT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_time ON audit (at_ms);
CREATE INDEX audit_user ON audit (user_id, id);

INSERT INTO sequences (name, last) VALUES
    ('users', 0), ('families', 0), ('datasets', 0), ('jobs', 0), ('artifacts', 0), ('models', 0), ('audit', 0);
