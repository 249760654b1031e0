-- A failure that the client was told is definite never turns up confirmed: neither the reservation that the
-- answer named, nor, where it named none, one with a key that was never sent again.
-- exposure: SELECT count(*) FROM client.requests WHERE operation = 'reserve' AND status <> 200 AND definite
SELECT r.seq, r.status, r.mechanism, r.reservation_id, r.idempotency_key, r.trace_id,
       s.reservation_id AS confirmed_reservation_id
FROM client.requests AS r
JOIN reservations.sagas AS s
    ON s.reservation_id = r.reservation_id
    OR (r.reservation_id = '' AND r.idempotency_key <> '' AND s.idempotency_key = r.idempotency_key
        AND 1 = (SELECT count(*) FROM client.requests AS k WHERE k.idempotency_key = r.idempotency_key))
WHERE r.operation = 'reserve' AND r.status <> 200 AND r.definite AND s.state = 'CONFIRMED'
