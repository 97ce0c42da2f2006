BEGIN TRANSACTION;
CREATE TABLE facematch_comparison_store
    (version INTEGER PRIMARY KEY, holder TEXT);
INSERT INTO "facematch_comparison_store" VALUES(6,NULL);
CREATE TABLE facematch_comparisons
    (system INTEGER, pair INTEGER, state TEXT NOT NULL, call_id TEXT, call TEXT, started_at TEXT,
    looked_at TEXT, decision TEXT, score REAL, scale TEXT, billed TEXT, elapsed_s REAL,
    environment TEXT, model TEXT, error TEXT, pictures TEXT, row TEXT,
    PRIMARY KEY (system, pair));
INSERT INTO "facematch_comparisons" VALUES(1,0,'answered','call-0','{"schema": 1, "kind": "call", "id": "call-0", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}','2020-01-01T12:00:00.000000+00:00',NULL,'match',80.0,NULL,'yes',NULL,'production',NULL,NULL,NULL,NULL);
INSERT INTO "facematch_comparisons" VALUES(1,1,'failed','call-1','{"schema": 1, "kind": "call", "id": "call-1", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}','2020-01-01T12:00:00.000000+00:00',NULL,NULL,NULL,NULL,'no',NULL,NULL,NULL,'AnError',NULL,NULL);
INSERT INTO "facematch_comparisons" VALUES(1,2,'unresolved','call-2','{"schema": 1, "kind": "call", "id": "call-2", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}','2020-01-01T12:00:00.000000+00:00',NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,'AnError',NULL,NULL);
INSERT INTO "facematch_comparisons" VALUES(1,3,'no response','call-3','{"schema": 1, "kind": "call", "id": "call-3", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}','2020-01-01T12:00:00.000000+00:00',NULL,NULL,NULL,NULL,'yes',NULL,NULL,NULL,'AnError',NULL,NULL);
INSERT INTO "facematch_comparisons" VALUES(1,4,'asked','call-4','{"schema": 1, "kind": "call", "id": "call-4", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}','2020-01-01T12:00:00.000000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facematch_comparisons" VALUES(1,5,'begun','call-5','{"schema": 1, "kind": "call", "id": "call-5", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}','2020-01-01T12:00:00.000000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facematch_comparisons" VALUES(1,6,'free',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE facematch_study
    (digest TEXT PRIMARY KEY, name TEXT NOT NULL, content TEXT NOT NULL);
INSERT INTO "facematch_study" VALUES('0000000000000000000000000000000000000000000000000000000000000000','people','{"mated": [0, 1, 0, 1, 0, 1, 0], "probe": [0, 1, 2, 3, 4, 5, 6], "reference": [0, 1, 2, 3, 4, 5, 6], "groups": {}}');
CREATE TABLE facematch_systems
    (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
    scale TEXT, answered_from TEXT, price TEXT);
INSERT INTO "facematch_systems" VALUES(1,'fake','{"backend": "fake", "environment": "production", "threshold": 50.0, "rule": "at_least", "review_threshold": null, "kept": false, "privacy": "Nothing is known."}',NULL,NULL,NULL);
COMMIT;
