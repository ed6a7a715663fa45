/** Questions in SQL, answered once. */

import { html, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { useDoing } from "../loading.js";
import { ask } from "./api.js";
import { Rows } from "./answer.js";

const QUESTION = "SELECT name, COUNT(*) AS n, AVG(result) AS mean\nFROM observations\nGROUP BY name ORDER BY n DESC LIMIT 20";

export function Console() {
  const [sql, setSql] = useState(QUESTION);
  const [found, setFound] = useState(null);
  const doing = useDoing();
  const send = () => doing.run(async () => {
    setFound(null);
    const answer = await ask(sql);
    setFound({ columns: answer.columns, values: answer.values, count: answer.rows });
    return answer;
  }, (answer) => `It took ${answer.took_s} s.`);
  const press = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || doing.isBusy) return;
    event.preventDefault();
    send();
  };
  return html`<section class="card" aria-label="Questions in SQL">
    <h2>Ask in SQL</h2>
    <${Field} as="textarea" label="One SELECT" hint="Control and Enter asks. Nothing is changed by a question." rows="5" class="apps-sql"
      value=${sql} onValue=${setSql} onKeyDown=${press} />
    <div class="actions"><button class="primary" onClick=${send} disabled=${doing.isBusy || !sql.trim()}>Ask</button></div>
    <${Said} doing=${doing} />
    ${found && html`<${Rows} ...${found} />`}
  </section>`;
}
