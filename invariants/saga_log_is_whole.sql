-- The log of each saga is complete: versions 1 to n without gaps, each transition starts in the state that the previous
-- one reached, none leaves a final state, and the last one leads to the saga's current state.
-- exposure: SELECT count(*) FROM reservations.saga_log
WITH steps AS (
    SELECT reservation_id, version, from_state, to_state,
           row_number() OVER story AS number,
           lag(to_state) OVER story AS came_to,
           lead(version) OVER story IS NULL AS is_last
    FROM reservations.saga_log
    WINDOW story AS (PARTITION BY reservation_id ORDER BY version)
)
SELECT coalesce(s.reservation_id, l.reservation_id) AS reservation_id, l.version, l.came_to, l.from_state,
       l.to_state, s.version AS saga_version, s.state AS saga_state
FROM steps AS l
FULL JOIN reservations.sagas AS s ON s.reservation_id = l.reservation_id
WHERE s.reservation_id IS NULL OR l.reservation_id IS NULL
   OR l.version <> l.number
   OR l.from_state IS DISTINCT FROM l.came_to
   OR l.from_state IN ('CONFIRMED', 'COMPENSATED', 'ABORTED')
   OR (l.is_last AND (l.version <> s.version OR l.to_state <> s.state))
