/** Asks for and changes the organisation: people, companies, systems, clients, keys, grants. */

import { request } from "../api.js";

const items = async (answer) => (await answer).items;
const post = (path, body) => request(path, {}, { method: "POST", body });
const patch = (path, body) => request(path, {}, { method: "PATCH", body });
const remove = (path, params = {}) => request(path, params, { method: "DELETE" });

export const listUsers = () => items(request("users"));
export const register = (user) => post("register", user);
export const listRegistrations = () => items(request("registrations"));
export const approveRegistration = (id) => post(`registrations/${id}/approve`);
export const refuseRegistration = (id) => remove(`registrations/${id}`);
export const addUser = (user) => post("users", user);
export const changeUser = (id, change) => patch(`users/${id}`, change);
export const removeUser = (id) => remove(`users/${id}`);
export const setPassword = (id, password) =>
  request(`users/${id}/password`, {}, { method: "PUT", body: password });
export const listSessions = (id) => items(request(`users/${id}/sessions`));
export const endSessions = (id) => remove(`users/${id}/sessions`);

export const listCompanies = () => items(request("companies"));
export const addCompany = (company) => post("companies", company);
export const describeCompany = (id, description) => patch(`companies/${id}`, { description });
export const removeCompany = (id) => remove(`companies/${id}`);

export const listSystems = () => items(request("systems"));
export const addSystem = (system) => post("systems", system);
export const changeSystem = (id, change) => patch(`systems/${id}`, change);
export const removeSystem = (id) => remove(`systems/${id}`);

/** Members of a place: `companies/3/administrators` or `systems/5/agents`. */
export const addMember = (place, user) => post(place, { user });
export const removeMember = (place, id) => remove(`${place}/${id}`);

export const listClients = (system) => items(request("clients", { system }));
export const addClient = (client) => post("clients", client);
export const changeClient = (id, change) => patch(`clients/${id}`, change);
export const removeClient = (id) => remove(`clients/${id}`);

/** Keys of `{user}` or `{client}`; of oneself with neither. */
export const listKeys = (holder) => items(request("keys", holder));
export const addKey = (key) => post("keys", key);
export const renewKey = (id, overlapS) => post(`keys/${id}/renew`, { overlap_s: overlapS });
export const revokeKey = (id) => remove(`keys/${id}`);

export const listGrants = () => items(request("grants"));
export const addGrant = (grant) => post("grants", grant);
/** `accept`, `refuse` or `revoke` a grant. */
export const decideGrant = (id, decision) => post(`grants/${id}/${decision}`);

/** Entries of the audit trail before an id: `{items, next}`. */
export const listAudit = (kind, before, limit) => request("audit", { kind, before, limit });
