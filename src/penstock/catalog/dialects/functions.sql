-- The functions of conditions for PostgreSQL; see postgresql_functions.py. Each statement may be
-- run again. What is marked STRICT gives null where an argument is null. They are in PL/pgSQL: one in
-- SQL that is not woven into its statement is planned and started for each row.

-- Numbers. From 1.797693134862315807e308 on they are rounded to what is no double.

-- A double with all its digits.
CREATE OR REPLACE FUNCTION penstock_digits(value double precision) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    bits bigint := ('x' || encode(float8send(value), 'hex'))::bit(64)::bigint;
    power integer := ((bits >> 52) & 2047)::integer;
    mantissa numeric := bits & 4503599627370495;
BEGIN
    IF power > 0 THEN mantissa := mantissa + 4503599627370496; ELSE power := 1; END IF;
    power := power - 1075;
    IF bits < 0 THEN mantissa := -mantissa; END IF;
    IF power >= 0 THEN RETURN mantissa * round(2::numeric ^ power); END IF;
    RETURN mantissa * round(5::numeric ^ (-power)) * ('1e' || power)::numeric;
END $$;

-- A double as the number that it is: whole ones exactly, others by their shortest decimal.
CREATE OR REPLACE FUNCTION penstock_exact(value double precision) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN value = trunc(value) AND abs(value) < 9.2e18 THEN value::bigint::numeric
        WHEN abs(value) < 9.2e18 THEN value::text::numeric
        WHEN abs(value) < 'Infinity' THEN penstock_digits(value)
    END;
END $$;

CREATE OR REPLACE FUNCTION penstock_number(value text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN value ~ '^-?[0-9]{1,18}$' THEN value::numeric
        WHEN abs(value::numeric) >= 1.797693134862315807e308 THEN NULL
        WHEN value ~ '^-?[0-9]+$'
            AND value::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
            THEN value::numeric
        WHEN value::numeric <> 0 AND abs(value::numeric) < 5e-324 THEN 0
        ELSE penstock_exact(value::double precision)
    END;
END $$;

-- Beyond 2^53 PostgreSQL says one digit more than others where the shortest decimal lies just
-- between two doubles; it means the same.
CREATE OR REPLACE FUNCTION penstock_number_text(value numeric) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN value = trunc(value) AND abs(value) < 9007199254740992 THEN trunc(value)::text
        WHEN abs(value) >= 1e15 AND abs(value) < 1e16
            THEN CASE WHEN value = trunc(value) THEN trunc(value)::text || '.0'
                ELSE trim_scale(value)::text END
        ELSE value::double precision::text
    END;
END $$;

CREATE OR REPLACE FUNCTION penstock_add(one numeric, other numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN abs(one + other) < 1.797693134862315807e308
        THEN penstock_exact(one::double precision + other::double precision) END;
END $$;

CREATE OR REPLACE FUNCTION penstock_sub(one numeric, other numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN penstock_add(one, -other);
END $$;

-- PostgreSQL calls a result too small an error; to others it is 0.
CREATE OR REPLACE FUNCTION penstock_mul(one numeric, other numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN abs(one * other) >= 1.797693134862315807e308 THEN NULL
        WHEN abs(one * other) < 5e-324 THEN 0
        ELSE penstock_exact(one::double precision * other::double precision)
    END;
END $$;

CREATE OR REPLACE FUNCTION penstock_div(one numeric, other numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN other = 0 THEN NULL
        WHEN one = 0 THEN 0
        WHEN abs(one) >= abs(other) * 1.797693134862315807e308 THEN NULL
        WHEN abs(one) < abs(other) * 5e-324 THEN 0
        ELSE penstock_exact(one::double precision / other::double precision)
    END;
END $$;

-- What is left over has the sign of the left side, and is exact for doubles.
CREATE OR REPLACE FUNCTION penstock_mod(one numeric, other numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN other = 0 THEN NULL
        WHEN one = trunc(one) AND other = trunc(other)
            AND abs(one) < 9007199254740992 AND abs(other) < 9007199254740992 THEN mod(one, other)
        ELSE penstock_exact(mod(
            penstock_digits(one::double precision), penstock_digits(other::double precision)
        )::double precision)
    END;
END $$;

CREATE OR REPLACE FUNCTION penstock_round(value numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$ BEGIN RETURN round(value); END $$;

CREATE OR REPLACE FUNCTION penstock_floor(value numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$ BEGIN RETURN floor(value); END $$;

CREATE OR REPLACE FUNCTION penstock_ceiling(value numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$ BEGIN RETURN ceil(value); END $$;

-- Lengths of time, microseconds; from 2^62 on they are none.

CREATE OR REPLACE FUNCTION penstock_duration(value numeric) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN abs(value) < 4611686018427387904 THEN value::bigint END;
END $$;

CREATE OR REPLACE FUNCTION penstock_duration_add(one numeric, other numeric) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN penstock_duration(one + other);
END $$;

CREATE OR REPLACE FUNCTION penstock_duration_sub(one numeric, other numeric) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN penstock_duration(one - other);
END $$;

-- As doubles, and to the even one where two are equally near.
CREATE OR REPLACE FUNCTION penstock_duration_mul(us numeric, factor numeric) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN abs(us * factor) < 4.62e18 AND abs(us * factor) >= 1e-300
        THEN penstock_duration(
            penstock_exact(round(us::double precision * factor::double precision)))
        WHEN abs(us * factor) < 1 THEN 0
    END;
END $$;

CREATE OR REPLACE FUNCTION penstock_duration_div(us numeric, factor numeric) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN factor = 0 OR abs(us) >= abs(factor) * 4.62e18 THEN NULL
        WHEN abs(us) < abs(factor) * 1e-300 THEN 0
        ELSE penstock_duration(
            penstock_exact(round(us::double precision / factor::double precision)))
    END;
END $$;

-- JSON. `kind` is SQLite's word for what a value is; null where it is missing or null.

CREATE OR REPLACE FUNCTION penstock_json_kind(value json) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE json_typeof(value)
        WHEN 'string' THEN 'text'
        WHEN 'number' THEN CASE WHEN value::text ~ '[.eE]' THEN 'real' ELSE 'integer' END
        WHEN 'boolean' THEN value #>> '{}'
        WHEN 'null' THEN NULL
        ELSE json_typeof(value)
    END;
END $$;

CREATE OR REPLACE FUNCTION penstock_json_number(value json) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE json_typeof(value) WHEN 'number' THEN penstock_number(value #>> '{}') END;
END $$;

CREATE OR REPLACE FUNCTION penstock_json_text(value json) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE json_typeof(value) WHEN 'string' THEN value #>> '{}' END;
END $$;

CREATE OR REPLACE FUNCTION penstock_json_truth(value json) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE json_typeof(value) WHEN 'boolean' THEN (value #>> '{}') = 'true' END;
END $$;

CREATE OR REPLACE FUNCTION penstock_json_written(value json) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE penstock_json_kind(value)
        WHEN 'real' THEN penstock_number_text(penstock_json_number(value))
        ELSE value #>> '{}'
    END;
END $$;

-- What rows are sorted by, as it is shown: null, number or text.
CREATE OR REPLACE FUNCTION penstock_json_shown(value json) RETURNS json
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE json_typeof(value)
        WHEN 'null' THEN NULL
        WHEN 'boolean' THEN CASE value #>> '{}' WHEN 'true' THEN '1'::json ELSE '0'::json END
        WHEN 'object' THEN to_json(value::text)
        WHEN 'array' THEN to_json(value::text)
        ELSE value
    END;
END $$;

CREATE OR REPLACE FUNCTION penstock_json_each(value json) RETURNS TABLE (value json, type text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 10 AS $$
    SELECT item, coalesce(penstock_json_kind(item), 'null') FROM json_array_elements($1) AS item
$$;

-- A text that is less than another one where what it is made from is: numbers before texts.

CREATE OR REPLACE FUNCTION penstock_order(value numeric) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    bits bigint := ('x' || encode(float8send(value::double precision + 0.0), 'hex'))
        ::bit(64)::bigint;
BEGIN
    IF bits < 0 THEN bits := ~bits; ELSE bits := bits # (-9223372036854775808); END IF;
    RETURN ('1' || lpad(to_hex(bits), 16, '0')) COLLATE "C";
END $$;

CREATE OR REPLACE FUNCTION penstock_order(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$ BEGIN RETURN '2' || value; END $$;

CREATE OR REPLACE FUNCTION penstock_order(value boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN penstock_order(value::int::numeric);
END $$;

CREATE OR REPLACE FUNCTION penstock_order(value json) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE json_typeof(value)
        WHEN 'number' THEN penstock_order(penstock_json_number(value))
        WHEN 'string' THEN penstock_order(value #>> '{}')
    END;
END $$;

-- Text

CREATE OR REPLACE FUNCTION penstock_lower(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN lower(value COLLATE "und-x-icu");
END $$;

CREATE OR REPLACE FUNCTION penstock_upper(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN upper(value COLLATE "und-x-icu");
END $$;

-- A number as a place in a text; GREATEST and LEAST overlook what is null.
CREATE OR REPLACE FUNCTION penstock_place(value numeric) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN least(greatest(trunc(value), 0), 2147483646)::integer;
END $$;

-- The time that a text is by ISO 8601, microseconds since 1970 UTC.

CREATE OR REPLACE FUNCTION penstock_day(said text) RETURNS date
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    digits text := replace(said, '-', '');
    year integer := left(digits, 4)::integer;
    rest text := substr(digits, 5);
    first date;
    day date;
BEGIN
    IF year = 0 THEN RETURN NULL; END IF;
    IF left(rest, 1) = 'W' THEN
        IF length(rest) = 3 THEN rest := rest || '1'; END IF;
        first := make_date(year, 1, 4);
        first := first - (extract(isodow FROM first)::integer - 1);
        day := first + (substr(rest, 2, 2)::integer - 1) * 7 + (substr(rest, 4)::integer - 1);
        IF substr(rest, 4)::integer NOT BETWEEN 1 AND 7
            OR extract(isoyear FROM day) <> year THEN RETURN NULL; END IF;
        RETURN day;
    ELSIF length(rest) = 3 THEN
        day := make_date(year, 1, 1) + (rest::integer - 1);
        IF extract(year FROM day) <> year THEN RETURN NULL; END IF;
        RETURN day;
    END IF;
    IF left(rest, 2)::integer NOT BETWEEN 1 AND 12 THEN RETURN NULL; END IF;
    IF length(rest) = 2 THEN rest := rest || '01'; END IF;
    first := make_date(year, left(rest, 2)::integer, 1);
    day := first + (substr(rest, 3)::integer - 1);
    IF extract(month FROM day) <> extract(month FROM first) THEN RETURN NULL; END IF;
    RETURN day;
END $$;

CREATE OR REPLACE FUNCTION penstock_time(said text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    zone CONSTANT text := '(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?';
    found text[];
    day date;
    us bigint;
    hours integer; minutes integer; seconds integer;
    away integer;
BEGIN
    found := regexp_match(said,
        '^([0-9]{4}-(?:[0-9]{2}-[0-9]{2}|[0-9]{2}|[0-9]{3}|W[0-9]{2}(?:-[0-9])?))'
        '(?:[Tt ]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?' || zone || ')?$');
    IF found IS NULL THEN
        found := regexp_match(said,
            '^([0-9]{4}(?:[0-9]{4}|[0-9]{3}|W[0-9]{2}[0-9]?))'
            '(?:[Tt ]([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:[.,]([0-9]+))?)?)?' || zone || ')?$');
    END IF;
    IF found IS NULL THEN RETURN NULL; END IF;
    day := penstock_day(found[1]);
    hours := coalesce(found[2], '0')::integer;
    minutes := coalesce(found[3], '0')::integer;
    seconds := coalesce(found[4], '0')::integer;
    us := rpad(left(coalesce(found[5], '0'), 6), 6, '0')::bigint;
    IF day IS NULL OR minutes > 59 OR seconds > 59 OR hours > 24
        OR hours = 24 AND (minutes > 0 OR seconds > 0 OR us > 0) THEN RETURN NULL; END IF;
    IF hours = 24 AND day = DATE '9999-12-31' THEN RETURN NULL; END IF;
    us := us + (((day - DATE '1970-01-01')::bigint * 24 + hours) * 60 + minutes) * 60000000
        + seconds * 1000000::bigint;
    IF found[6] IS NULL OR found[6] IN ('Z', 'z') THEN RETURN us; END IF;
    found[6] := replace(found[6], ':', '');
    away := substr(found[6], 2, 2)::integer * 60
        + coalesce(nullif(substr(found[6], 4), ''), '0')::integer;
    IF away >= 1440 OR coalesce(nullif(substr(found[6], 4), ''), '0')::integer > 59
        THEN RETURN NULL; END IF;
    RETURN us - CASE left(found[6], 1) WHEN '-' THEN -1 ELSE 1 END * away * 60000000::bigint;
END $$;
