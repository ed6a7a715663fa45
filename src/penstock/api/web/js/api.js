/** The REST API of this server: one function per question the page asks. */

export const BASE = new URL("api/v1/", document.baseURI);
const TIMEOUT_MS = 30000;

/** What the server said when it refused, or that it did not answer (`status` 0). */
export class ApiError extends Error {
  constructor(message, status = 0, code = "unreachable") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Address of an endpoint; array values become repeated parameters, empty ones are left out. */
export function address(path, params = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, one);
  }
  return url;
}

/** Ask the server and return what it answers in JSON; raises `ApiError`. */
export async function request(
  path,
  params,
  { method = "GET", signal, timeoutMs = TIMEOUT_MS } = {},
) {
  const signals = [AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
  let response;
  try {
    response = await fetch(address(path, params), {
      method,
      cache: "no-store",
      headers: { Accept: "application/json" },
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("The server does not answer.");
  }
  noteServerTime(response);
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return body;
  const problem = body?.error ?? body ?? {};
  const said = problem.message ?? problem.detail ?? `The server answered ${response.status}.`;
  throw new ApiError(
    typeof said === "string" ? said : JSON.stringify(said),
    response.status,
    problem.code,
  );
}

let offsetUs = 0;
let offsetKnown = false;

/** The `Date` header is whole seconds: correct the clock only when it is clearly off. */
function noteServerTime(response) {
  const header = Date.parse(response.headers.get("Date"));
  if (Number.isNaN(header)) return;
  const difference = (header + 500 - Date.now()) * 1000;
  if (Math.abs(difference - offsetUs) > 3e6 || !offsetKnown) {
    offsetUs = Math.abs(difference) > 3e6 ? difference : 0;
    offsetKnown = true;
  }
}

/** The server's time now, microseconds UTC. */
export const nowUs = () => Date.now() * 1000 + offsetUs;
