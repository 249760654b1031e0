-- A failure that the client was told is definite never turns up confirmed.
-- exposure: SELECT count(*) FROM client.requests WHERE operation = 'reserve' AND status <> 200 AND definite
SELECT r.seq, r.status, r.mechanism, r.reservation_id, r.trace_id, s.state AS saga_state
FROM client.requests AS r
JOIN reservations.sagas AS s ON s.reservation_id = r.reservation_id
WHERE r.operation = 'reserve' AND r.status <> 200 AND r.definite AND s.state = 'CONFIRMED'
