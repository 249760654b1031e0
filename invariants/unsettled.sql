-- Sagas in progress. The system has settled when two reads 1 s apart return none.
-- Runs on the reservations database itself (PostgreSQL).
SELECT reservation_id, state, updated_at
FROM sagas
WHERE state NOT IN ('CONFIRMED', 'COMPENSATED', 'ABORTED')
