-- Every reservation for which a client received 200 is still confirmed.
-- exposure: SELECT count(*) FROM client.requests WHERE operation LIKE 'reserve%' AND status = 200
-- story: {violations} of {exposure} acknowledged reservations lost
SELECT r.seq, r.reservation_id, r.trace_id, s.state AS saga_state
FROM client.requests AS r
LEFT JOIN reservations.sagas AS s ON s.reservation_id = r.reservation_id
WHERE r.operation LIKE 'reserve%' AND r.status = 200 AND (s.state IS NULL OR s.state <> 'CONFIRMED')
