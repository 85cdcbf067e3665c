-- Whether rows equal the independent reading, under one snapshot, while others write.
BEGIN ISOLATION LEVEL REPEATABLE READ;
LOAD 'ekran_sessions';
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = ekran, public;
SET LOCAL work_mem = '64MB';
SELECT clock_timestamp() AS begun \gset
INSERT INTO stress.reading
SELECT :elapsed, :'what' || ', all', d.*, extract(epoch FROM clock_timestamp() - :'begun')
FROM independent.differences(NULL, NULL, 200) d;
SELECT clock_timestamp() AS begun \gset
INSERT INTO stress.reading
SELECT :elapsed, :'what' || ', a window', d.*, extract(epoch FROM clock_timestamp() - :'begun')
FROM independent.differences(stress.clock() - interval '10 hours', stress.clock() - interval '2 hours', 200) d;
COMMIT;
