/** Who looks at this page: nobody in particular, somebody signed in, or one who must sign in. */

import { request, whenStranger } from "./api.js";
import { app } from "./state.js";

const AGAIN_MS = 1500;
/** Without accounts everybody may do everything. */
const OPEN = {
  accounts: false,
  kind: "anyone",
  id: 0,
  name: "anyone",
  administrator: true,
  companies: [],
  systems: [],
  /** This server keeps no organisation at all. */
  isBare: true,
};

/** Whether one must sign in before anything else. */
export const isStranger = (session) => Boolean(session?.accounts && session.kind === "anyone");

/** Ask who one is, until the server says so. */
export async function learnSession() {
  try {
    app.set({ session: await request("session"), reachable: true });
  } catch (error) {
    if (error.status === 404 || error.status === 501) app.set({ session: OPEN });
    else {
      app.set({ reachable: error.status !== 0 });
      setTimeout(learnSession, AGAIN_MS);
    }
  }
}

/** Begin a session, in a cookie that scripts cannot read. */
export async function signIn(name, password) {
  await request("session", {}, { method: "POST", body: { name, password, cookie: true } });
  await learnSession();
}

/** End it, and leave nothing of what was seen on the page. */
export async function signOut() {
  await request("session", {}, { method: "DELETE" });
  location.hash = "";
  location.reload();
}

let isChecking = false;

/** Do something that ends sessions and begins one, without being thrown out in between. */
export async function whileSigningIn(work) {
  isChecking = true;
  try {
    return await work();
  } finally {
    isChecking = false;
  }
}

/** When an answer says that one is not known any more: sign in again, then the same view. */
export function watchSession() {
  whenStranger(async () => {
    if (isChecking || !app.get().session || isStranger(app.get().session)) return;
    isChecking = true;
    try {
      if (isStranger(await request("session"))) location.reload();
    } catch {
      // The next answer tells again.
    }
    isChecking = false;
  });
  learnSession();
}

/** What one may do, as the server said: for what the page offers; the server decides anyway. */
export const may = {
  runPlatform: ({ session }) => session.administrator,
  runCompany: ({ session }, id) =>
    session.administrator || session.companies.some((company) => company.id === id),
  runSystem: ({ session }, id) =>
    session.administrator || session.systems.some((system) => system.id === id),
};
