-- A saga with an expired lease (15 s) is taken over within a second or two. A saga is stuck if it was not taken over
-- for another 15 s, or if it is live and has no lease.
-- exposure: SELECT count(*) FROM reservations.sagas WHERE state NOT IN ('CONFIRMED', 'COMPENSATED', 'ABORTED') OR reservation_id IN (SELECT reservation_id FROM reservations.saga_log WHERE reason = 'lease taken over')
SELECT s.reservation_id, s.state, s.version, s.lease_until, t.taken_at AS read_at
FROM reservations.sagas AS s
CROSS JOIN reservations._snapshot AS t
WHERE s.state NOT IN ('CONFIRMED', 'COMPENSATED', 'ABORTED')
  AND (s.lease_until IS NULL OR epoch_ms(t.taken_at) - epoch_ms(s.lease_until) > 15000)
