-- Sagas that have not ended: the system has settled when there are none in two reads 1 s apart.
-- Runs on the reservations database itself (PostgreSQL).
SELECT reservation_id, state, updated_at
FROM sagas
WHERE state NOT IN ('CONFIRMED', 'COMPENSATED', 'ABORTED')
