-- A failure reported to the client as definite is never confirmed: neither the reservation named in the response nor,
-- if it named none, a reservation with a key that was sent only once.
-- exposure: SELECT count(*) FROM client.requests WHERE operation LIKE 'reserve%' AND status <> 200 AND definite
WITH failures AS (
    SELECT * FROM client.requests WHERE operation LIKE 'reserve%' AND status <> 200 AND definite
), sent_once AS (
    SELECT idempotency_key FROM client.requests
    WHERE idempotency_key <> '' GROUP BY idempotency_key HAVING count(*) = 1
), confirmed AS (
    SELECT reservation_id, idempotency_key FROM reservations.sagas WHERE state = 'CONFIRMED'
), meetings AS (
    SELECT r.seq, s.reservation_id FROM failures AS r
    JOIN confirmed AS s ON s.reservation_id = r.reservation_id
    UNION ALL
    SELECT r.seq, s.reservation_id FROM failures AS r
    JOIN sent_once AS o ON o.idempotency_key = r.idempotency_key
    JOIN confirmed AS s ON s.idempotency_key = r.idempotency_key
    WHERE r.reservation_id = ''
)
SELECT r.seq, r.status, r.mechanism, r.reservation_id, r.idempotency_key, r.trace_id,
       m.reservation_id AS confirmed_reservation_id
FROM failures AS r JOIN meetings AS m ON m.seq = r.seq
