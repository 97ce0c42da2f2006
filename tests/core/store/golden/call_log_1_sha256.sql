BEGIN TRANSACTION;
CREATE TABLE facematch_call_log (
	version INTEGER NOT NULL, 
	key_check VARCHAR(64) NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "facematch_call_log" VALUES(1,'sha256:7b351d486fce0b6a20ed524d17b09bea');
CREATE TABLE facematch_calls (
	call_id VARCHAR(64) NOT NULL, 
	side VARCHAR(20) NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	operation VARCHAR(20) NOT NULL, 
	system TEXT, 
	person VARCHAR(64), 
	own_call_id VARCHAR(64), 
	not_asked VARCHAR(20), 
	environment VARCHAR(20), 
	decision VARCHAR(20), 
	score DOUBLE, 
	scale TEXT, 
	threshold DOUBLE, 
	model TEXT, 
	warnings TEXT NOT NULL, 
	charged VARCHAR(20) NOT NULL, 
	charges INTEGER, 
	elapsed_s DOUBLE NOT NULL, 
	error TEXT, 
	PRIMARY KEY (call_id, side)
);
INSERT INTO "facematch_calls" VALUES('call-1','answered','2020-01-01T12:00:00.000000+00:00','match','didit','c755b7b1dc366b22d336d6f6764124bb',NULL,NULL,'production','match',91.5,'didit/face-match/v3',60.0,'model-1','several_faces','yes',1,0.25,NULL);
INSERT INTO "facematch_calls" VALUES('call-1','shadow','2020-01-01T12:00:00.000000+00:00','match',NULL,NULL,NULL,'queue_full',NULL,NULL,NULL,NULL,NULL,NULL,'','no',NULL,0.0,NULL);
INSERT INTO "facematch_calls" VALUES('call-2','answered','2020-01-01T12:00:00.000000+00:00','liveness',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'','no',NULL,0.0,'RateLimited');
CREATE INDEX facematch_calls_person ON facematch_calls (person);
CREATE INDEX facematch_calls_at ON facematch_calls (at);
COMMIT;
