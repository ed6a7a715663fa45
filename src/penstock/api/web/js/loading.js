/** Reading from the server for a part of the page, and doing something for a button of it. */

import { useEffect, useRef, useState } from "./html.js";

/**
 * What `load` answers: `{data, error, reload}`; `data` is null before the first answer. Asked anew
 * when `keys` change and, if `everyMs` is given, again and again while the page is visible.
 */
export function useLoaded(load, keys, everyMs = 0) {
  const [state, setState] = useState({ data: null, error: null });
  const latest = useRef(load);
  const turn = useRef(0);
  const isBusy = useRef(false);
  latest.current = load;
  const reload = async () => {
    const mine = (turn.current += 1);
    isBusy.current = true;
    try {
      const data = await latest.current();
      if (mine === turn.current) setState({ data, error: null });
    } catch (error) {
      if (mine === turn.current) setState((before) => ({ data: before.data, error }));
    } finally {
      if (mine === turn.current) isBusy.current = false;
    }
  };
  useEffect(() => {
    reload();
    const again = () => document.hidden || isBusy.current || reload();
    const timer = everyMs ? setInterval(again, everyMs) : 0;
    return () => {
      turn.current += 1;
      clearInterval(timer);
    };
  }, keys);
  return { ...state, reload };
}

/**
 * Runs what buttons ask for: `{run, isBusy, said, problem}`. `run(work, said)` tells whether it
 * worked; `said` is what to say then, or how to say it from the answer.
 */
export function useDoing() {
  const [state, setState] = useState({ isBusy: false, said: "", problem: "" });
  const run = async (work, said = "") => {
    setState({ isBusy: true, said: "", problem: "" });
    try {
      const answer = await work();
      const text = typeof said === "function" ? said(answer) : said;
      setState({ isBusy: false, said: text, problem: "" });
      return true;
    } catch (error) {
      setState({ isBusy: false, said: "", problem: error.message });
      return false;
    }
  };
  return { ...state, run, forget: () => setState({ isBusy: false, said: "", problem: "" }) };
}

/** Render again every so often, for times that pass. */
export function useTick(everyMs) {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setTick((tick) => tick + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}
