/** The header of a rule's text: lines `-- key: value` before the SQL, read and written in place. */

const LINE = /^\s*--\s*([A-Za-z][A-Za-z -]*?)\s*:\s*(.*?)\s*$/;

/** Where the header ends: before the first line that is neither a comment nor empty. */
function headerEnd(lines) {
  const end = lines.findIndex((line) => line.trim() && !line.trim().startsWith("--"));
  return end < 0 ? lines.length : end;
}

const keyOf = (line) => LINE.exec(line)?.[1].toLowerCase().replaceAll(" ", "-");

/** The SQL of a rule's text, as the server counts its lines. */
export function sqlOf(text) {
  const lines = text.split("\n");
  return lines.slice(headerEnd(lines)).join("\n").trim();
}

/** What the header says, by key. */
export function readHeader(text) {
  const lines = text.split("\n");
  const found = {};
  for (const line of lines.slice(0, headerEnd(lines))) {
    const key = keyOf(line);
    if (key) found[key] = LINE.exec(line)[2];
  }
  return found;
}

/** The text with a key that says something else; nothing takes it away. */
export function writeHeader(text, key, value) {
  const lines = text.split("\n");
  const end = headerEnd(lines);
  const at = lines.slice(0, end).findIndex((line) => keyOf(line) === key);
  const line = `-- ${key}: ${value}`;
  if (at >= 0) lines.splice(at, 1, ...(value === "" ? [] : [line]));
  else if (value !== "") {
    // Behind the last line of the header, before what is only a comment.
    const last = lines.slice(0, end).findLastIndex((one) => LINE.test(one));
    lines.splice(last + 1, 0, line);
  }
  return lines.join("\n");
}
