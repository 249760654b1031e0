-- At most one confirmed reservation per idempotency key.
-- exposure: SELECT count(DISTINCT idempotency_key) FROM reservations.sagas
SELECT idempotency_key, count(*) AS confirmed
FROM reservations.sagas
WHERE state = 'CONFIRMED'
GROUP BY idempotency_key
HAVING count(*) > 1
