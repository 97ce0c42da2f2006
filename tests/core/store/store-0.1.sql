BEGIN TRANSACTION;
CREATE TABLE facematch_attempts (
	attempt_id VARCHAR(64) NOT NULL, 
	try_number INTEGER NOT NULL, 
	budget TEXT NOT NULL, 
	backend TEXT NOT NULL, 
	operation VARCHAR(20) NOT NULL, 
	environment VARCHAR(20) NOT NULL, 
	started_at VARCHAR(40) NOT NULL, 
	ended_at VARCHAR(40), 
	state VARCHAR(20) NOT NULL, 
	billed VARCHAR(20), 
	amount BIGINT NOT NULL, 
	currency VARCHAR(3), 
	error TEXT, 
	answered_from VARCHAR(20), 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	run TEXT NOT NULL, 
	attempt TEXT NOT NULL, 
	PRIMARY KEY (attempt_id, try_number, budget)
);
INSERT INTO "facematch_attempts" VALUES('00000000-0000-4000-8000-000000000001',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00','2020-01-01T12:00:02.000000+00:00','settled','yes',1,NULL,NULL,NULL,'shop-1/4026531836',4242,'1f0c8a52-9a3e-4d75-8d1c-6d7a1e0f2b11@123456','{"schema": 0, "kind": "attempt", "id": "00000000-0000-4000-8000-000000000001", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "kept": false, "caller_ref": null, "threshold": null, "review_threshold": null, "minimum_age": null}');
INSERT INTO "facematch_attempts" VALUES('00000000-0000-4000-8000-000000000002',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00','2020-01-01T12:00:02.000000+00:00','settled','no',1,NULL,NULL,NULL,'shop-1/4026531836',4242,'1f0c8a52-9a3e-4d75-8d1c-6d7a1e0f2b11@123456','{"schema": 0, "kind": "attempt", "id": "00000000-0000-4000-8000-000000000002", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "kept": false, "caller_ref": null, "threshold": null, "review_threshold": null, "minimum_age": null}');
INSERT INTO "facematch_attempts" VALUES('00000000-0000-4000-8000-000000000003',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00','2020-01-01T12:00:02.000000+00:00','unknown','unknown',1,NULL,'OutcomeUnknown',NULL,'shop-1/4026531836',4242,'1f0c8a52-9a3e-4d75-8d1c-6d7a1e0f2b11@123456','{"schema": 0, "kind": "attempt", "id": "00000000-0000-4000-8000-000000000003", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "kept": true, "caller_ref": null, "threshold": null, "review_threshold": null, "minimum_age": null}');
INSERT INTO "facematch_attempts" VALUES('00000000-0000-4000-8000-000000000004',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00',NULL,'reserved',NULL,1,NULL,NULL,NULL,'shop-1/4026531836',4242,'1f0c8a52-9a3e-4d75-8d1c-6d7a1e0f2b11@123456','{"schema": 0, "kind": "attempt", "id": "00000000-0000-4000-8000-000000000004", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "kept": false, "caller_ref": null, "threshold": {"value": 30.0, "rule": "above", "source": "caller"}, "review_threshold": null, "minimum_age": null}');
INSERT INTO "facematch_attempts" VALUES('00000000-0000-4000-8000-000000000005',1,'["shop", "USD", "production", "day", "2026-07-02"]','fake','match','production','2020-01-01T12:00:00.000000+00:00','2020-01-01T12:00:02.000000+00:00','settled','yes',50000,'USD',NULL,NULL,'shop-1/4026531836',4242,'1f0c8a52-9a3e-4d75-8d1c-6d7a1e0f2b11@123456','{"schema": 0, "kind": "attempt", "id": "00000000-0000-4000-8000-000000000005", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "kept": false, "caller_ref": null, "threshold": null, "review_threshold": null, "minimum_age": null}');
INSERT INTO "facematch_attempts" VALUES('00000000-0000-4000-8000-000000000006',1,'["shop", "USD", "production", "day", "2026-07-02"]','fake','liveness','production','2020-01-01T12:00:00.000000+00:00',NULL,'reserved',NULL,30001,'USD',NULL,NULL,'shop-1/4026531836',4242,'1f0c8a52-9a3e-4d75-8d1c-6d7a1e0f2b11@123456','{"schema": 0, "kind": "attempt", "id": "00000000-0000-4000-8000-000000000006", "operation": "liveness", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "kept": false, "caller_ref": null, "threshold": null, "review_threshold": null, "minimum_age": null}');
INSERT INTO "facematch_attempts" VALUES('00000000-0000-4000-8000-000000000007',1,'["shop", null, "production", "run", "import of june"]','fake','liveness','production','2020-01-01T12:00:00.000000+00:00',NULL,'reserved',NULL,1,NULL,NULL,NULL,'shop-1/4026531836',4242,'1f0c8a52-9a3e-4d75-8d1c-6d7a1e0f2b11@123456','{"schema": 0, "kind": "attempt", "id": "00000000-0000-4000-8000-000000000007", "operation": "liveness", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "kept": false, "caller_ref": null, "threshold": null, "review_threshold": null, "minimum_age": null}');
CREATE TABLE facematch_budgets (
	budget TEXT NOT NULL, 
	name TEXT NOT NULL, 
	currency VARCHAR(3), 
	environment VARCHAR(20) NOT NULL, 
	period VARCHAR(20) NOT NULL, 
	window_of TEXT NOT NULL, 
	cap BIGINT NOT NULL, 
	spent BIGINT NOT NULL, 
	reserved BIGINT NOT NULL, 
	unknown BIGINT NOT NULL, 
	PRIMARY KEY (budget)
);
INSERT INTO "facematch_budgets" VALUES('["shop", null, "production", "total", ""]','shop',NULL,'production','total','',5,1,1,1);
INSERT INTO "facematch_budgets" VALUES('["shop", "USD", "production", "day", "2026-07-02"]','shop','USD','production','day','2026-07-02',500000,50000,30001,0);
INSERT INTO "facematch_budgets" VALUES('["shop", null, "production", "run", "import of june"]','shop',NULL,'production','run','import of june',5,0,1,0);
CREATE TABLE facematch_store (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "facematch_store" VALUES(1);
CREATE INDEX facematch_attempts_open ON facematch_attempts (state, started_at);
COMMIT;
