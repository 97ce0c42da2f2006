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
	attempt TEXT NOT NULL, 
	PRIMARY KEY (attempt_id, try_number, budget)
);
INSERT INTO "facematch_attempts" VALUES('call-0',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00','2020-01-01T12:00:00.000000+00:00','settled','yes',1,NULL,'RateLimited',NULL,'{"schema": 1, "kind": "call", "id": "call-0", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}');
INSERT INTO "facematch_attempts" VALUES('call-1',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00','2020-01-01T12:00:00.000000+00:00','settled','no',1,NULL,'RateLimited',NULL,'{"schema": 1, "kind": "call", "id": "call-1", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}');
INSERT INTO "facematch_attempts" VALUES('call-2',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00','2020-01-01T12:00:00.000000+00:00','unknown','unknown',1,NULL,'RateLimited',NULL,'{"schema": 1, "kind": "call", "id": "call-2", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}');
INSERT INTO "facematch_attempts" VALUES('call-3',1,'["shop", null, "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00',NULL,'reserved',NULL,1,NULL,NULL,NULL,'{"schema": 1, "kind": "call", "id": "call-3", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}');
INSERT INTO "facematch_attempts" VALUES('call-4',1,'["money", "USD", "production", "total", ""]','fake','match','production','2020-01-01T12:00:00.000000+00:00',NULL,'reserved',NULL,250000,'USD',NULL,NULL,'{"schema": 1, "kind": "call", "id": "call-4", "operation": "match", "backend": "fake", "started_at": "2020-01-01T12:00:00+00:00", "retention": "minimal", "caller_ref": null, "threshold": null, "review_threshold": null, "vendor_id": null}');
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
INSERT INTO "facematch_budgets" VALUES('["shop", null, "production", "total", ""]','shop',NULL,'production','total','',10,1,1,1);
INSERT INTO "facematch_budgets" VALUES('["money", "USD", "production", "total", ""]','money','USD','production','total','',1000000,0,250000,0);
CREATE TABLE facematch_store (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "facematch_store" VALUES(2);
CREATE INDEX facematch_attempts_open ON facematch_attempts (state, started_at);
COMMIT;
