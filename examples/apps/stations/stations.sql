-- app: battery
-- description: Last, lowest, highest and mean charge of each station's battery, every quarter of an hour.
-- unit.last_value: %
-- unit.lowest: %
-- unit.highest: %
-- unit.mean: %

SELECT
  thing, window_start, window_end,
  LAST_VALUE(result) AS last_value, MIN(result) AS lowest, MAX(result) AS highest, AVG(result) AS mean
FROM TABLE(TUMBLE(TABLE "*.BAT", DESCRIPTOR(time), INTERVAL '15' MINUTE))
GROUP BY thing, window_start, window_end

-- app: stations-side-by-side
-- description: A row for each station of UPB and second, with a column for each metric that is of interest.

SELECT
  thing, window_start, window_end,
  AVG(result) FILTER (WHERE property = 'BAT') AS "BAT",
  AVG(result) FILTER (WHERE property = 'TMP') AS "TMP",
  AVG(result) FILTER (WHERE property = 'HUMID') AS "HUMID",
  AVG(result) FILTER (WHERE property = 'AQI') AS "AQI"
FROM TABLE(TUMBLE(TABLE "UPB/*", DESCRIPTOR(time), INTERVAL '1' SECOND))
GROUP BY thing, window_start, window_end
