-- What was compensated, confirmed late or notified late, and why: one row for each reservation that left the happy path,
-- from the durable log. `by`: who decided and who finished; `took_s`: from that decision to completion.
WITH turns AS (  -- the step that left the happy path: backward, or forward if the owner was lost
    SELECT reservation_id, min_by(struct_pack(version, "at", from_state, reason), version) AS turn
    FROM reservations.saga_log
    WHERE (to_state = 'COMPENSATING' AND from_state <> 'COMPENSATING')
       OR reason LIKE 'owner lost%' OR reason LIKE '%nothing given back'
    GROUP BY reservation_id
), finished AS (
    SELECT l.reservation_id, bool_or(l.reason = 'lease taken over' AND l.version > t.turn.version) AS taken_over,
           max(l."at") FILTER (l.to_state IN ('CONFIRMED', 'COMPENSATED', 'ABORTED')) AS ended_at
    FROM reservations.saga_log AS l JOIN turns AS t USING (reservation_id)
    GROUP BY l.reservation_id
), listed AS (
    SELECT coalesce(t.turn."at", o.created_at) AS "at", s.reservation_id,
           CASE WHEN t.turn IS NULL THEN 'notified late'
                WHEN s.state = 'CONFIRMED' THEN 'confirmed late'
                WHEN s.state = 'ABORTED' THEN 'nothing given back'
                ELSE lower(s.state) END AS outcome,
           coalesce(t.turn.from_state, s.state) AS stopped_in,
           coalesce(t.turn.reason, 'notification not sent with the response') AS because,
           s.failure_mechanism AS mechanism, s.failure_link AS link,
           CASE a.state WHEN 'ALLOCATED' THEN 'held' WHEN 'RELEASED' THEN 'released' ELSE 'none taken' END AS seats,
           CASE c.state WHEN 'CAPTURED' THEN 'taken' WHEN 'REFUNDED' THEN 'refunded'
                        WHEN 'DECLINED' THEN 'declined' ELSE 'none taken' END AS money,
           CASE WHEN o.reservation_id IS NULL THEN NULL
                WHEN o.delivered_at IS NULL THEN 'waiting'
                WHEN o.attempts > 0 THEN 'sent later' ELSE 'sent' END AS notice,
           CASE WHEN t.turn IS NULL THEN 'outbox'
                WHEN t.turn.reason LIKE 'owner lost%' THEN 'recovery'
                WHEN f.taken_over THEN 'inline, then recovery' ELSE 'inline' END AS "by",
           round((epoch_ms(f.ended_at) - epoch_ms(t.turn."at")) / 1000, 3) AS took_s
    FROM reservations.sagas AS s
    CROSS JOIN reservations._snapshot AS read
    LEFT JOIN turns AS t USING (reservation_id)
    LEFT JOIN finished AS f USING (reservation_id)
    LEFT JOIN reservations.outbox AS o USING (reservation_id)
    LEFT JOIN inventory.allocations AS a USING (reservation_id)
    LEFT JOIN payments.charges AS c USING (reservation_id)
    WHERE t.turn IS NOT NULL OR o.attempts > 0
       OR (o.delivered_at IS NULL AND epoch_ms(read.taken_at) - epoch_ms(o.created_at) > 2000)
)
SELECT *, concat_ws('; ',
    concat(outcome, ' from ', stopped_in, ': ', because, ' (' || nullif(concat_ws(' on ', mechanism, link), '') || ')'),
    concat_ws(', ', 'seats ' || seats, 'money ' || money, 'notice ' || notice),
    concat("by", ' in ' || took_s || ' s')) AS story
FROM listed
ORDER BY "at", reservation_id
