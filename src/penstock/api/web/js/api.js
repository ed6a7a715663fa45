/** The REST API of this server: one function per question the page asks. */

export const BASE = new URL("api/v1/", document.baseURI);
const TIMEOUT_MS = 30000;

/** What the server said when it refused, or that it did not answer (`status` 0). */
export class ApiError extends Error {
  constructor(message, status = 0, code = "unreachable", retryAfterS = 0) {
    super(message);
    this.status = status;
    this.code = code;
    /** After so many seconds it is worth asking again; 0 when the server did not say. */
    this.retryAfterS = retryAfterS;
  }
}

let onStranger = () => {};

/** Call `listener` whenever the server does not know (any more) who asks. */
export function whenStranger(listener) {
  onStranger = listener;
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

/** Ask the server, with `body` as JSON if there is one, and return its answer; raises `ApiError`. */
export async function request(
  path,
  params,
  { method = "GET", body, headers = {}, signal, timeoutMs = TIMEOUT_MS } = {},
) {
  const signals = [AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
  let response;
  try {
    response = await fetch(address(path, params), {
      method,
      cache: "no-store",
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("The server does not answer.");
  }
  noteServerTime(response);
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return answer;
  if (response.status === 401) onStranger();
  const problem = answer?.error ?? answer ?? {};
  const said = problem.message ?? problem.detail ?? `The server answered ${response.status}.`;
  throw new ApiError(
    typeof said === "string" ? said : JSON.stringify(said),
    response.status,
    problem.code,
    Number(response.headers.get("Retry-After")) || 0,
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
