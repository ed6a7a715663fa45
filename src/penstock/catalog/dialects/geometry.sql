-- Geometries for conditions, by PostGIS: planar, in degrees; see postgresql_functions.py. What
-- cannot be read or compared is null.

CREATE OR REPLACE FUNCTION penstock_geometry(said text) RETURNS geometry
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    value json;
BEGIN
    IF left(said, 1) = '{' THEN
        value := said::json;
        IF value ->> 'type' = 'Feature' THEN value := value -> 'geometry'; END IF;
        IF json_typeof(value) <> 'object' OR value -> 'type' IS NULL THEN RETURN NULL; END IF;
        RETURN ST_SetSRID(ST_GeomFromGeoJSON(value::text), 0);
    END IF;
    RETURN ST_SetSRID(ST_GeomFromText(regexp_replace(said, '^.*;', '')), 0);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION penstock_relation(name text, one text, other text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    a geometry := penstock_geometry(one);
    b geometry := penstock_geometry(other);
BEGIN
    RETURN CASE name
        WHEN 'equals' THEN ST_Equals(a, b)
        WHEN 'disjoint' THEN ST_Disjoint(a, b)
        WHEN 'touches' THEN ST_Touches(a, b)
        WHEN 'within' THEN ST_Within(a, b)
        WHEN 'overlaps' THEN ST_Overlaps(a, b)
        WHEN 'crosses' THEN ST_Crosses(a, b)
        WHEN 'intersects' THEN ST_Intersects(a, b)
        WHEN 'contains' THEN ST_Contains(a, b)
    END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION penstock_relates(one text, other text, pattern text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN ST_Relate(penstock_geometry(one), penstock_geometry(other), pattern);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION penstock_distance(one text, other text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN penstock_exact(ST_Distance(penstock_geometry(one), penstock_geometry(other)));
END $$;

-- The length of lines; areas have none.
CREATE OR REPLACE FUNCTION penstock_length(said text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN penstock_exact(ST_Length(penstock_geometry(said)));
END $$;
