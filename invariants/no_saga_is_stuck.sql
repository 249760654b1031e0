-- A saga whose lease (15 s) has ended is taken over within a second or two; one that is not taken over for as long
-- again is stuck, and so is a live one without a lease.
-- exposure: SELECT count(*) FROM reservations.sagas WHERE state NOT IN ('CONFIRMED', 'COMPENSATED', 'ABORTED') OR reservation_id IN (SELECT reservation_id FROM reservations.saga_log WHERE reason = 'lease taken over')
SELECT s.reservation_id, s.state, s.version, s.lease_until, t.taken_at AS read_at
FROM reservations.sagas AS s
CROSS JOIN reservations._snapshot AS t
WHERE s.state NOT IN ('CONFIRMED', 'COMPENSATED', 'ABORTED')
  AND (s.lease_until IS NULL OR epoch_ms(t.taken_at) - epoch_ms(s.lease_until) > 15000)
