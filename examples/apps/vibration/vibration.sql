-- app: vibration-each-second
-- description: Effective value and peak of the acceleration of each second.

SELECT thing, window_start, window_end, RMS(result) AS rms, PEAK(result) AS peak, COUNT(*) AS samples
FROM TABLE(TUMBLE(TABLE "*.acceleration", DESCRIPTOR(time), INTERVAL '1' SECOND))
GROUP BY thing, window_start, window_end

-- app: vibration-spectrum
-- description: Amplitudes by frequency of ten seconds, every five seconds.
-- description: The sensors measure 100 times a second; write their rate for the 100 where it is another.
-- unit.from_4_to_11_hz: m/s2

SELECT
  thing, window_start, window_end,
  SPECTRUM(ARRAY_AGG(result), 100, 'hann') AS spectrum,
  SPECTRAL_PEAK(ARRAY_AGG(result), 100, 'hann') AS dominant,
  BAND_RMS(ARRAY_AGG(result), 100, 4, 11) AS from_4_to_11_hz
FROM TABLE(HOP(TABLE "*.acceleration", DESCRIPTOR(time), INTERVAL '5' SECOND, INTERVAL '10' SECOND))
GROUP BY thing, window_start, window_end
