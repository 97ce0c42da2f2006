BEGIN TRANSACTION;
CREATE TABLE facematch_session_store (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "facematch_session_store" VALUES(1);
CREATE TABLE facematch_sessions (
	number INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	subject_key VARCHAR(64) NOT NULL, 
	case_key VARCHAR(64) NOT NULL, 
	open_case_key VARCHAR(64), 
	record TEXT NOT NULL, 
	session_id TEXT, 
	link TEXT, 
	link_expires_at DOUBLE, 
	state VARCHAR(20), 
	result TEXT, 
	planned_at DOUBLE NOT NULL, 
	starting_until DOUBLE, 
	look_at DOUBLE, 
	lease VARCHAR(64), 
	used_at DOUBLE, 
	face_kept BOOLEAN, 
	PRIMARY KEY (number), 
	UNIQUE (id), 
	UNIQUE (open_case_key)
);
INSERT INTO "facematch_sessions" VALUES(1,'8947b2d316e87ec3db3ede78eec5cce0','acme','def2569019c1aeb7c84d1e73d684a848c4f9dfbead33405b60b5e912dc80902a','712a44c26a74a6efff027c7d6ab3b3edd5e2537bf3095c55db08e485cecadd53','712a44c26a74a6efff027c7d6ab3b3edd5e2537bf3095c55db08e485cecadd53','{"schema": 1, "kind": "session", "id": "8947b2d316e87ec3db3ede78eec5cce0", "backend": "acme", "profile": null, "environment": "production", "subject_ref": "customer-17", "purpose": "payout", "about": "payout 8841", "expects": ["liveness", "match"], "compared_with": "given", "any_document": false, "threshold": null, "review_threshold": null, "liveness_threshold": null, "valid_for_s": 3600.0, "facts": {}, "planned_at": "2020-01-01T12:00:00+00:00", "started_at": "2020-01-01T12:00:00+00:00", "session_id": "s-1", "expires_at": null, "vendor": {}}','s-1',NULL,1577883600.0,NULL,NULL,1577880000.0,NULL,1577880002.0,NULL,NULL,NULL);
CREATE INDEX ix_facematch_sessions_subject_key ON facematch_sessions (subject_key);
CREATE INDEX ix_facematch_sessions_case_key ON facematch_sessions (case_key);
CREATE INDEX ix_facematch_sessions_link ON facematch_sessions (link_expires_at) WHERE link IS NOT NULL;
CREATE INDEX ix_facematch_sessions_unused ON facematch_sessions (look_at) WHERE used_at IS NULL AND look_at IS NOT NULL;
CREATE INDEX ix_facematch_sessions_planned_at ON facematch_sessions (planned_at);
CREATE INDEX ix_facematch_sessions_session_id ON facematch_sessions (session_id);
CREATE INDEX ix_facematch_sessions_look_at ON facematch_sessions (look_at);
COMMIT;
