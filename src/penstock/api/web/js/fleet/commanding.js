/** Commands for one device, and for several or all of a type after asking twice. */

import { html, useEffect, useState } from "../html.js";
import { Said } from "../form.js";
import { formatCount } from "../format.js";
import { useDoing } from "../loading.js";
import { commandDevice, commandMany, listAllTasks } from "./api.js";
import { CommandForms, commandText } from "./commandform.js";
import { isOpenTask, Tasks } from "./tasks.js";

const PAGE = 1000;
const LOOK_MS = 500;
/** What is not over by then has its time to live still; the page stops asking. */
const LOOK_FOR_MS = 120000;

export function DeviceCommands({ device, type, mayCommand }) {
  const [turn, setTurn] = useState(0);
  const doing = useDoing();
  const send = (command, parameters) =>
    doing.run(() => commandDevice(device, command, parameters).then(() => setTurn((before) => before + 1)));
  return html`<section class="card" aria-label="Commands">
    <h2>Commands</h2>
    ${!type && html`<p class="muted">Its type is not known, so neither are its commands${mayCommand && "; set the type above"}.</p>`}
    ${type && mayCommand && html`<${CommandForms} type=${type} send=${send} isBusy=${doing.isBusy} />`}
    ${doing.problem && html`<${Said} doing=${doing} />`}
    <${Tasks} device=${device} turn=${turn} />
  </section>`;
}

/** How tasks stand: `{done: 3, sent: 1}`, looked at until all have ended. */
function useStanding(ids) {
  const [counts, setCounts] = useState(null);
  useEffect(() => {
    if (!ids) return undefined;
    const wanted = new Set(ids);
    const first = Math.min(...ids);
    const began = performance.now();
    let timer = 0;
    let isOver = false;
    const look = async () => {
      try {
        const found = {};
        let open = false;
        let page = { next: null };
        do {
          page = await listAllTasks(page.next, PAGE);
          for (const task of page.items.filter((one) => wanted.has(one.id))) {
            found[task.state] = (found[task.state] ?? 0) + 1;
            open ||= isOpenTask(task);
          }
        } while (page.next && page.next > first && !isOver);
        if (isOver) return;
        setCounts(found);
        if (!open || performance.now() - began > LOOK_FOR_MS) return;
      } catch {
        // Asked again below.
      }
      if (!isOver) timer = setTimeout(look, LOOK_MS);
    };
    look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [ids]);
  return counts;
}

const ORDER = ["done", "accepted", "delivered", "sent", "queued", "failed", "expired"];

/**
 * @param whom `{devices: names}` or `{all: true, type}`.
 * @param count How many these are.
 */
export function CommandMany({ whom, count, type, close }) {
  const [sent, setSent] = useState(null);
  const doing = useDoing();
  const counts = useStanding(sent?.ids);
  const send = (command, parameters) => doing.run(async () => {
    const tasks = await commandMany(whom, command, parameters);
    setSent({ command, ids: tasks.map((task) => task.id) });
  });
  const many = count === 1 ? "1 device" : `${formatCount(count)} devices`;
  const title = whom.all ? `Command all ${many} of type ${type.name}` : `Command ${many}`;
  const standing = counts && ORDER.filter((state) => counts[state])
    .map((state) => `${formatCount(counts[state])} ${state}`).join(", ");
  return html`<section class="card many" aria-label="Command several devices">
    <div class="actions"><h2>${title}</h2>
      <button class="mild" onClick=${close}>Close</button></div>
    <${CommandForms} type=${type} send=${send} sure=${`Really send to ${many}?`} isBusy=${doing.isBusy} />
    <${Said} doing=${doing} />
    ${sent && html`<p role="status"><strong>${commandText(sent.command)}</strong> sent to
      ${" "}${formatCount(sent.ids.length)}: ${standing ?? "on its way"}</p>`}
  </section>`;
}
