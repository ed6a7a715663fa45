-- app: travellers-by-sensor
-- description: Travellers and their speeds in each minute, by sensor.
-- description: A traveller counts in every minute in which it is seen.
-- unit.average_speed: [ft_i]/s
-- unit.lowest_speed: [ft_i]/s
-- unit.highest_speed: [ft_i]/s
-- reach: 1 s

WITH seen AS (
  SELECT
    time, thing, feature, JSON_VALUE(parameters, '$.traveler_type') AS kind,
    JSON_VALUE(text, '$[0]' RETURNING DOUBLE) AS x, JSON_VALUE(text, '$[1]' RETURNING DOUBLE) AS y
  FROM "sensor-*.position"
), before AS (
  SELECT
    time, thing, feature, kind, x, y,
    LAG(x) OVER w AS x0, LAG(y) OVER w AS y0, LAG(time) OVER w AS time0
  FROM seen
  WINDOW w AS (PARTITION BY thing, feature ORDER BY time)
), moved AS (
  SELECT
    time, thing, feature, kind,
    SQRT(POWER(x - x0, 2) + POWER(y - y0, 2)) * 1000000
      / NULLIF(TIMESTAMPDIFF(MICROSECOND, time0, time), 0) AS speed
  FROM before
)
SELECT
  thing, window_start, window_end, COUNT(DISTINCT feature) AS travellers,
  AVG(speed) AS average_speed, MIN(speed) AS lowest_speed, MAX(speed) AS highest_speed
FROM TABLE(TUMBLE(TABLE moved, DESCRIPTOR(time), INTERVAL '1' MINUTE))
GROUP BY thing, window_start, window_end

-- app: travellers-by-type
-- description: Travellers and their speeds in each minute, by type of traveller.
-- description: A traveller counts in every minute in which it is seen.
-- thing: travellers-{kind}
-- unit.average_speed: [ft_i]/s
-- unit.lowest_speed: [ft_i]/s
-- unit.highest_speed: [ft_i]/s
-- reach: 1 s

WITH seen AS (
  SELECT
    time, thing, feature, JSON_VALUE(parameters, '$.traveler_type') AS kind,
    JSON_VALUE(text, '$[0]' RETURNING DOUBLE) AS x, JSON_VALUE(text, '$[1]' RETURNING DOUBLE) AS y
  FROM "sensor-*.position"
), before AS (
  SELECT
    time, thing, feature, kind, x, y,
    LAG(x) OVER w AS x0, LAG(y) OVER w AS y0, LAG(time) OVER w AS time0
  FROM seen
  WINDOW w AS (PARTITION BY thing, feature ORDER BY time)
), moved AS (
  SELECT
    time, thing, feature, kind,
    SQRT(POWER(x - x0, 2) + POWER(y - y0, 2)) * 1000000
      / NULLIF(TIMESTAMPDIFF(MICROSECOND, time0, time), 0) AS speed
  FROM before
)
SELECT
  kind, window_start, window_end, COUNT(DISTINCT feature) AS travellers,
  AVG(speed) AS average_speed, MIN(speed) AS lowest_speed, MAX(speed) AS highest_speed
FROM TABLE(TUMBLE(TABLE moved, DESCRIPTOR(time), INTERVAL '1' MINUTE))
GROUP BY kind, window_start, window_end

-- app: travellers-by-sensor-and-type
-- description: Travellers and their speeds in each minute, by sensor and type of traveller.
-- description: A traveller counts in every minute in which it is seen.
-- unit.average_speed: [ft_i]/s
-- unit.lowest_speed: [ft_i]/s
-- unit.highest_speed: [ft_i]/s
-- reach: 1 s

WITH seen AS (
  SELECT
    time, thing, feature, JSON_VALUE(parameters, '$.traveler_type') AS kind,
    JSON_VALUE(text, '$[0]' RETURNING DOUBLE) AS x, JSON_VALUE(text, '$[1]' RETURNING DOUBLE) AS y
  FROM "sensor-*.position"
), before AS (
  SELECT
    time, thing, feature, kind, x, y,
    LAG(x) OVER w AS x0, LAG(y) OVER w AS y0, LAG(time) OVER w AS time0
  FROM seen
  WINDOW w AS (PARTITION BY thing, feature ORDER BY time)
), moved AS (
  SELECT
    time, thing, feature, kind,
    SQRT(POWER(x - x0, 2) + POWER(y - y0, 2)) * 1000000
      / NULLIF(TIMESTAMPDIFF(MICROSECOND, time0, time), 0) AS speed
  FROM before
)
SELECT
  thing, kind, window_start, window_end, COUNT(DISTINCT feature) AS travellers,
  AVG(speed) AS average_speed, MIN(speed) AS lowest_speed, MAX(speed) AS highest_speed
FROM TABLE(TUMBLE(TABLE moved, DESCRIPTOR(time), INTERVAL '1' MINUTE))
GROUP BY thing, kind, window_start, window_end
