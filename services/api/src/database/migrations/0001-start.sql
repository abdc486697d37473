-- Everything here is a cache of what credentials approved: no row grants anything. Every row carries its organisation, and the
-- role that serves requests sees one organisation at a time.

CREATE TABLE challenges (
  org_id text NOT NULL,
  id text NOT NULL,
  principal_id text NOT NULL,
  app_id text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  payload text NOT NULL,
  nonce bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, id)
);
CREATE INDEX challenges_of_principal ON challenges (org_id, principal_id);
CREATE INDEX challenges_by_end ON challenges (org_id, expires_at);

CREATE TABLE user_actions (
  org_id text NOT NULL,
  id text NOT NULL,
  principal_id text NOT NULL,
  app_id text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  payload text NOT NULL,
  nonce bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  credential_kind text NOT NULL,
  cred_id text NOT NULL,
  client_data bytea NOT NULL,
  assertion_signature bytea NOT NULL,
  PRIMARY KEY (org_id, id)
);
CREATE INDEX user_actions_by_end ON user_actions (org_id, expires_at);

-- Approved creations that have not ended; the evidence continues one that was cut off.
CREATE TABLE key_creations (
  org_id text NOT NULL,
  key_id text NOT NULL,
  principal_id text NOT NULL,
  app_id text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  payload text NOT NULL,
  nonce bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  credential_kind text NOT NULL,
  cred_id text NOT NULL,
  client_data bytea NOT NULL,
  assertion_signature bytea NOT NULL,
  PRIMARY KEY (org_id, key_id)
);

CREATE TABLE keys (
  org_id text NOT NULL,
  id text NOT NULL,
  scheme text NOT NULL,
  curve text NOT NULL,
  suite text NOT NULL,
  purpose text NOT NULL,
  public_key text NOT NULL,
  internal_public_key text,
  name text,
  status text NOT NULL CHECK (status IN ('Active', 'Archived')),
  certificate jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, id)
);
CREATE INDEX keys_by_age ON keys (org_id, created_at DESC, id DESC);

CREATE TABLE signatures (
  org_id text NOT NULL,
  id text NOT NULL,
  key_id text NOT NULL,
  principal_id text NOT NULL,
  token_id text NOT NULL,
  payload text NOT NULL,
  external_id text,
  status text NOT NULL CHECK (status IN ('Executing', 'Signed', 'Failed')),
  reason text,
  signatures jsonb,
  requested_at timestamptz NOT NULL,
  deadline_at timestamptz NOT NULL,
  signed_at timestamptz,
  PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, key_id) REFERENCES keys (org_id, id),
  UNIQUE (org_id, principal_id, external_id)
);
CREATE INDEX signatures_by_age ON signatures (org_id, key_id, requested_at DESC, id DESC);
CREATE INDEX signatures_running ON signatures (org_id, deadline_at) WHERE status = 'Executing';

DO $$ BEGIN
  CREATE ROLE countersign_api NOLOGIN;
EXCEPTION WHEN duplicate_object THEN
  NULL;
END $$;

DO $$
DECLARE relation text;
BEGIN
  FOREACH relation IN ARRAY ARRAY['challenges', 'user_actions', 'key_creations', 'keys', 'signatures'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relation);
    EXECUTE format(
      'CREATE POLICY own_organisation ON %I USING (org_id = current_setting(''countersign.org_id'', true)) WITH CHECK (org_id = current_setting(''countersign.org_id'', true))',
      relation
    );
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO countersign_api', relation);
  END LOOP;
END $$;
