-- app: factory-unnested
-- description: Every reading as a flat JSON object on a topic, for tools that want one table.
-- output: topic
-- topic: factory_unnested/{site}
-- lateness: 1 min

SELECT
  time,
  SPLIT_INDEX(SPLIT_INDEX(name, '/', 0), '-', 1) AS site,
  SPLIT_INDEX(SPLIT_INDEX(SPLIT_INDEX(name, '/', 1), '.', 0), '-', 1) AS device,
  SPLIT_INDEX(SPLIT_INDEX(name, '.', 1), '-', 1) AS sensor,
  property, unit, result AS measurement
FROM "site-*.sensor-*"

-- app: factory-each-minute
-- description: What each region measures, by minute; a minute waits one more for stragglers.
-- thing: factory-{region}
-- lateness: 1 min

SELECT
  JSON_VALUE(t.properties, '$.region') AS region, r.property, r.unit, r.window_start, r.window_end,
  COUNT(*) AS readings, AVG(r.result) AS mean, MIN(r.result) AS lowest, MAX(r.result) AS highest
FROM TABLE(TUMBLE(TABLE "site-*.sensor-*", DESCRIPTOR(time), INTERVAL '1' MINUTE)) AS r
JOIN things AS t ON t.name = r.thing
GROUP BY JSON_VALUE(t.properties, '$.region'), r.property, r.unit, r.window_start, r.window_end
