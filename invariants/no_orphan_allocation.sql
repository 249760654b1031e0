-- No seats remain allocated to a reservation that was not confirmed.
-- exposure: SELECT count(*) FROM inventory.allocations WHERE state IN ('RELEASED', 'VOIDED')
SELECT a.reservation_id, a.event_id, a.quantity, s.state AS saga_state
FROM inventory.allocations AS a
LEFT JOIN reservations.sagas AS s USING (reservation_id)
WHERE a.state = 'ALLOCATED' AND (s.state IS NULL OR s.state <> 'CONFIRMED')
