-- Every captured charge belongs to a confirmed reservation; any other was refunded or never captured.
-- exposure: SELECT count(*) FROM payments.charges WHERE state IN ('REFUNDED', 'VOIDED')
-- story: {violations} orphaned charges ({exposure} refunded or voided)
SELECT c.reservation_id, c.state AS charge_state, s.state AS saga_state
FROM payments.charges AS c
LEFT JOIN reservations.sagas AS s USING (reservation_id)
WHERE c.state = 'CAPTURED' AND (s.state IS NULL OR s.state <> 'CONFIRMED')
