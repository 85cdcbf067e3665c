-- A fold in a transaction of its own.
SELECT ekran_refresh();
