-- Every confirmed reservation has one notification in the outbox, and no other reservation has any. A notification
-- reported as sent in the response is marked as delivered; otherwise it would be sent twice.
-- exposure: SELECT count(*) FROM reservations.sagas WHERE state = 'CONFIRMED'
SELECT coalesce(s.reservation_id, o.reservation_id) AS reservation_id, s.state AS saga_state,
       s.notification_sent, o.delivered_at, o.attempts
FROM reservations.sagas AS s
FULL JOIN reservations.outbox AS o ON o.reservation_id = s.reservation_id
WHERE (s.state = 'CONFIRMED') IS DISTINCT FROM (o.reservation_id IS NOT NULL)
   OR (s.notification_sent AND o.delivered_at IS NULL)
