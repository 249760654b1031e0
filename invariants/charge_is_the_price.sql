-- Every charge is the price of the reservation (2500 cents per seat), paid by the user who reserved it.
-- exposure: SELECT count(*) FROM payments.charges JOIN reservations.sagas USING (reservation_id) WHERE payments.charges.state IN ('CAPTURED', 'REFUNDED')
SELECT c.reservation_id, c.state AS charge_state, c.user_id, c.amount_cents,
       s.user_id AS saga_user_id, s.quantity * 2500 AS price_cents
FROM payments.charges AS c
JOIN reservations.sagas AS s USING (reservation_id)
WHERE c.state IN ('CAPTURED', 'REFUNDED')
  AND (c.amount_cents IS DISTINCT FROM s.quantity * 2500 OR c.user_id IS DISTINCT FROM s.user_id)
