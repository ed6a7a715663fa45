/** Tasks: what became of each command, as it goes. */

import { html, useEffect, useState } from "../html.js";
import { formatClock, formatDate } from "../format.js";
import { useApp } from "../state.js";
import { listTasks } from "./api.js";
import { commandText } from "./commandform.js";
import { agoText } from "./presence.js";

const STEPS = ["queued", "sent", "delivered", "accepted", "done"];
const ENDS = { done: "ok", failed: "bad", expired: "warn" };
const SHOWN = 20;
/** While something is on its way it is looked at often, the longer it takes the less. */
const SOON_MS = 200;
const LATER_MS = 1500;
const IDLE_MS = 4000;

export const isOpenTask = (task) => !(task.state in ENDS);

/** The newest tasks of a device, fresh while they move. `turn` changes when one was ordered. */
function useTasks(device, turn) {
  const [found, setFound] = useState({ tasks: null, problem: "" });
  useEffect(() => {
    let timer = 0;
    let isOver = false;
    const began = performance.now();
    const look = async () => {
      let wait = IDLE_MS;
      try {
        const tasks = document.hidden ? null : await listTasks(device, SHOWN);
        if (isOver) return;
        if (tasks) setFound({ tasks, problem: "" });
        if (tasks?.some(isOpenTask)) wait = performance.now() - began < 10000 ? SOON_MS : LATER_MS;
      } catch (error) {
        if (!isOver) setFound((before) => ({ ...before, problem: error.message }));
      }
      if (!isOver) timer = setTimeout(look, wait);
    };
    look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [device.name, device.system, turn]);
  return found;
}

/** How far a task has come: a bar of five steps, and the word. */
export function Progress({ task }) {
  const tone = ENDS[task.state] ?? "going";
  const came = [null, task.sent_us, task.delivered_us, task.accepted_us, task.state === "done" ? task.ended_us : null];
  const reached = STEPS.includes(task.state) ? STEPS.indexOf(task.state) : came.findLastIndex((time) => time);
  return html`<span class=${`progress ${tone}`}>
    <span class="steps" aria-hidden="true">${STEPS.map((step, at) =>
      html`<i key=${step} class=${at <= Math.max(0, reached) ? "on" : ""}></i>`)}</span>
    <span class="task-state">${task.state}</span>
  </span>`;
}

const parametersText = (parameters) =>
  Object.entries(parameters).map(([name, value]) => `${name} = ${value}`).join(", ");

/** How long it took, for those who wait: `43 ms`. */
function tookText(task) {
  const end = task.ended_us ?? task.accepted_us ?? task.delivered_us;
  if (!end) return "";
  const ms = Math.max(0, (end - task.created_us) / 1000);
  return ms < 10000 ? `in ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `in ${Math.round(ms / 1000)} s`;
}

function Task({ task }) {
  const utc = useApp((state) => state.utc);
  const asked = `${formatDate(task.created_us, utc)} ${formatClock(task.created_us, utc, 3)}${task.by ? ` by ${task.by}` : ""}`;
  return html`<li class="task" data-task=${task.id} data-state=${task.state}>
    <${Progress} task=${task} />
    <span class="row-name">${commandText(task.command)}</span>
    <span class="muted">${parametersText(task.parameters)}</span>
    <span class="muted task-time" title=${asked}>${tookText(task)} ${task.by && `· ${task.by}`} · ${agoText(task.created_us)}</span>
    ${task.message && html`<span class=${`task-message ${task.state === "failed" ? "bad-text" : "muted"}`}>${task.message}</span>`}
  </li>`;
}

export function Tasks({ device, turn }) {
  const { tasks, problem } = useTasks(device, turn);
  if (problem) return html`<p class="bad-text">${problem}</p>`;
  if (!tasks?.length) return tasks && html`<p class="muted">Nothing was ordered yet.</p>`;
  return html`<ul class="rows tasks" aria-label="Commands sent" aria-live="polite">
    ${tasks.map((task) => html`<${Task} key=${task.id} task=${task} />`)}</ul>`;
}
