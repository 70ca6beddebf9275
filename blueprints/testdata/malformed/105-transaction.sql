\set id random(1, 100)
SELECT 1 WHERE :id > 0;
\sleep 1 ms
