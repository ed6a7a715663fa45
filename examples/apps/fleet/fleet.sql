-- app: car-temperatures-below-30
-- description: SELECT * FROM * WHERE (name = '...Car1.temperature' OR name = '...Car2.temperature') AND result < 30;

SELECT time, thing, result
FROM "cz.icecars.iot4cps-wp5-CarFleet.*"
WHERE (name LIKE '%.Car1.temperature' OR name LIKE '%.Car2.temperature') AND result < 30

-- app: road-could-be-slippery
-- description: Frost, measured by a car or a weather station.

SELECT time, thing, unit, result AS temperature
FROM "*.temperature"
WHERE TO_UNIT(result, unit, 'Cel') < 0

-- app: frost-near-a-car
-- description: Frost at a weather station less than 5 km from a car, with what the car measured last or next, at most 30 s apart.

SELECT
  time, left_thing AS station, right_thing AS car, left_result AS at_station, right_result AS at_car,
  GEO_DISTANCE(
    left_latitude, left_longitude,
    JSON_VALUE(right_parameters, '$.latitude' RETURNING DOUBLE),
    JSON_VALUE(right_parameters, '$.longitude' RETURNING DOUBLE)
  ) AS distance
FROM TABLE(SERIES_JOIN(
  TABLE "is.iceland.*.temperature", TABLE "cz.icecars.*.temperature", INTERVAL '30' SECOND
))
WHERE left_result < 0 AND GEO_DISTANCE(
    left_latitude, left_longitude,
    JSON_VALUE(right_parameters, '$.latitude' RETURNING DOUBLE),
    JSON_VALUE(right_parameters, '$.longitude' RETURNING DOUBLE)
  ) < 5000

-- app: car1-near-car2
-- description: Positions of Car1 and Car2 next to each other in time and less than 1.23 km apart.
-- unit.distance: m

WITH pairs AS (
  SELECT
    time, left_time, right_time, left_thing,
    GEO_DISTANCE(
      JSON_VALUE(left_text, '$.latitude' RETURNING DOUBLE),
      JSON_VALUE(left_text, '$.longitude' RETURNING DOUBLE),
      JSON_VALUE(right_text, '$.latitude' RETURNING DOUBLE),
      JSON_VALUE(right_text, '$.longitude' RETURNING DOUBLE)
    ) AS distance
  FROM TABLE(SERIES_JOIN(
    TABLE "cz.icecars.*.Car1.position", TABLE "cz.icecars.*.Car2.position", INTERVAL '10' SECOND
  ))
)
SELECT time, left_thing AS thing, distance
FROM pairs
WHERE distance < 1230
