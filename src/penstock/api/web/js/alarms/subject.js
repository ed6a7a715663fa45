/** What an alarm is about: the datastream whose curve tells of it, or why there is none. */

import { useEffect, useState } from "../html.js";
import { findDatastream, listDatastreamsOf } from "./api.js";

const NOTHING = { datastream: null, why: "" };

/** The datastream of an alarm's key, or null when it is about a group. */
function datastreamOf(key) {
  try {
    const parts = JSON.parse(key);
    return parts.length === 1 && Number.isInteger(parts[0]) && parts[0] > 0 ? parts[0] : null;
  } catch {
    return null;
  }
}

/** Whether a full name is one of those that a query reads by name; of all, if it names none. */
function isRead(name, sql) {
  const named = [...sql.matchAll(/\b(?:from|join|table)\s*\(?\s*["'`]([^"'`]+)["'`]/gi)].map((one) => one[1]);
  const pattern = (text) => new RegExp(`^${text.split("*").map(escaped).join(".*")}$`);
  return named.length === 0 || named.some((text) => pattern(text).test(name));
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The datastreams that may be meant by the values of a row. */
async function meant(values, sql) {
  const all = (await listDatastreamsOf(values.thing)).filter((one) => isRead(one.name, sql)
    && (!values.property || values.property === one.observed_property)
    && (!values.sensor || values.sensor === one.sensor));
  const measured = all.filter((one) => !one.properties.app_id);
  return measured.length ? measured : all;
}

async function subjectOf(values, sql) {
  if (values.name) {
    const datastream = await findDatastream(values.name);
    return { datastream, why: datastream ? "" : `There is no datastream ${values.name} (any more), so there is no curve.` };
  }
  if (!values.thing) {
    return { datastream: null, why: "No curve: the rows of the rule do not say what they are about. Put name, or thing, into its SELECT and GROUP BY." };
  }
  const found = await meant(values, sql);
  if (found.length === 1) return { datastream: found[0].id, why: "" };
  const why = found.length === 0 ? `No curve: ${values.thing} has no datastream that you may read.`
    : `No curve: it may be about each of ${found.length} datastreams of ${values.thing}. Put name into the SELECT and GROUP BY of the rule to tell them apart.`;
  return { datastream: null, why };
}

/** What is drawn for an alarm: `{datastream, why}`; neither is said before it is known. */
export function useSubject(key, values, sql) {
  const own = datastreamOf(key) ?? (Number.isInteger(values?.datastream) ? values.datastream : null);
  const [found, setFound] = useState(NOTHING);
  const { name, thing, property, sensor } = values ?? {};
  useEffect(() => {
    let isOver = false;
    setFound(NOTHING);
    if (!own && values) subjectOf(values, sql).then((one) => isOver || setFound(one), () => {});
    return () => {
      isOver = true;
    };
  }, [own, name, thing, property, sensor, sql]);
  return own ? { datastream: own, why: "" } : found;
}
