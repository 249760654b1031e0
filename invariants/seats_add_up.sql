-- capacity = available + allocated, and allocated <= capacity (no oversell).
-- exposure: SELECT count(*) FROM inventory.events
SELECT e.event_id, e.capacity, e.available, coalesce(a.allocated, 0) AS allocated
FROM inventory.events AS e
LEFT JOIN (
    SELECT event_id, sum(quantity) AS allocated
    FROM inventory.allocations WHERE state = 'ALLOCATED' GROUP BY event_id
) AS a USING (event_id)
WHERE e.capacity <> e.available + coalesce(a.allocated, 0)
   OR coalesce(a.allocated, 0) > e.capacity
