/** Preact with htm: components without a build step. Text given to `html` is always escaped. */

import { h, render, Fragment } from "../vendor/preact/preact.js";
import { useEffect, useId, useMemo, useRef, useState } from "../vendor/preact/hooks.js";
import htm from "../vendor/htm/htm.js";

export const html = htm.bind(h);
export { Fragment, render, useEffect, useId, useMemo, useRef, useState };
