-- Maintenance, by several at once.
CALL ekran_maintain();
