-- Every confirmed reservation has exactly one captured charge.
-- exposure: SELECT count(*) FROM reservations.sagas WHERE state = 'CONFIRMED'
SELECT s.reservation_id, count(c.reservation_id) AS captured_charges
FROM reservations.sagas AS s
LEFT JOIN payments.charges AS c ON c.reservation_id = s.reservation_id AND c.state = 'CAPTURED'
WHERE s.state = 'CONFIRMED'
GROUP BY s.reservation_id
HAVING count(c.reservation_id) <> 1
