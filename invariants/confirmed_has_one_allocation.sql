-- Every confirmed reservation has exactly one allocation, for its event and quantity.
-- exposure: SELECT count(*) FROM reservations.sagas WHERE state = 'CONFIRMED'
SELECT s.reservation_id, s.event_id, s.quantity, count(a.reservation_id) AS allocations
FROM reservations.sagas AS s
LEFT JOIN inventory.allocations AS a
    ON a.reservation_id = s.reservation_id AND a.state = 'ALLOCATED'
   AND a.event_id = s.event_id AND a.quantity = s.quantity
WHERE s.state = 'CONFIRMED'
GROUP BY s.reservation_id, s.event_id, s.quantity
HAVING count(a.reservation_id) <> 1
