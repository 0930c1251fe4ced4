// The emulator's page. It asks the emulator every second and is told of messages as they pass. It shows what has
// changed, and nothing else: what a person has opened, typed or focused stays as it is. Text is set as text,
// never as markup.

const EVERY_MS = 1000;
const CLIENTS_EVERY_MS = 5000;
const SHOWN_MESSAGES = 200;
const SUBPROTOCOL = "iotauth.messages.v1";
const NOT_LIVE = "Not live: what passes now is not seen. Trying again.";
const FIRST_RETRY_MS = 500, LAST_RETRY_MS = 10000; // each pause is twice the one before
const HEADERS = { "x-iotauth-emulator": "1", "content-type": "application/json" };

const OUTCOMES = {
  admitted: ["let in", "good"],
  refreshed: ["asked again", "good"],
  published: ["took a message", "good"],
  refused: ["refused", "bad"],
  "cut-off": ["cut off", "bad"],
  denied: ["denied", "bad"],
  ignored: ["ignored", "warn"],
  injected: ["injected", "warn"],
};

const find = (id) => document.getElementById(id);

// --- Asking ----------------------------------------------------------------------------------------

async function call(path, options = {}) {
  const response = await fetch(`/_emulator/${path}`, { headers: HEADERS, cache: "no-store", ...options });
  const answer = await response.json();
  if (!response.ok) throw new Refusal(answer.message ?? "the emulator refused");
  return answer;
}

const tell = (verb, members) => call(verb, { method: "POST", body: JSON.stringify(members) });

class Refusal extends Error {}

// --- Showing ---------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const mark = (text, kind) => element("span", { class: "mark", "data-kind": kind }, text);
const mono = (text) => element("span", { class: "mono" }, text);

// What stands in backticks is a name or a value.
function prose(text) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) return [text];
  return parts.map((part, place) => (place % 2 ? element("code", {}, part) : part));
}

function facts(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(element("dt", {}, name), element("dd", {}, value));
  }
  return list;
}

// Make the children of `list` those of `items`: an item that has not changed keeps its element, and one that
// has keeps what was open in it and where the focus was.
function show(list, items, keyOf, render) {
  const before = new Map(Array.from(list.children, (child) => [child.dataset.key, child]));
  const after = items.map((item) => {
    const key = String(keyOf(item)), text = JSON.stringify(item), old = before.get(key);
    if (old?.shown === text) return old;
    const made = render(item);
    made.dataset.key = key;
    made.shown = text;
    if (old) carryOver(old, made);
    return made;
  });
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  if (after.length !== list.children.length || after.some((child, place) => list.children[place] !== child)) {
    list.replaceChildren(...after);
  }
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  else if (focused?.successor) focused.successor.focus({ preventScroll: true });
}

function carryOver(old, made) {
  const opened = old.querySelectorAll("details"), openable = made.querySelectorAll("details");
  opened.forEach((details, place) => {
    if (!openable[place]) return;
    openable[place].open = details.open;
    if (details.firstElementChild === document.activeElement) {
      document.activeElement.successor = openable[place].firstElementChild;
    }
  });
}

function section(name, items, keyOf, render) {
  find(`${name}-empty`).hidden = items.length > 0;
  find(`${name}-count`).textContent = items.length || "";
  show(find(`${name}-list`), items, keyOf, render);
}

// --- Time ------------------------------------------------------------------------------------------

let aheadMs = 0; // of the emulator's clock, which can be moved

const emulatorNow = () => Date.now() + aheadMs;
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hourCycle: "h23" });

function moment(seconds) {
  const date = new Date(seconds * 1000);
  return element("time", { datetime: date.toISOString(), title: date.toLocaleString() }, clock(seconds));
}

function countdown(seconds) {
  return element("time", { "data-until": seconds, datetime: new Date(seconds * 1000).toISOString() }, until(seconds));
}

function until(seconds) {
  const left = Math.round(seconds - emulatorNow() / 1000);
  return left <= 0 ? "now" : `in ${span(left)}`;
}

function span(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function tick() {
  for (const each of document.querySelectorAll("time[data-until]")) each.textContent = until(Number(each.dataset.until));
}

// --- What is shown ---------------------------------------------------------------------------------

function connection(it) {
  const policies = it.policy_documents.map((text) => element("pre", { tabindex: 0 }, pretty(text)));
  const topics = it.subscriptions.map(([filter, qos]) => `${filter} (QoS ${qos})`).join(", ");
  return element("li", {},
    element("div", { class: "title" },
      element("strong", {}, it.client_id), mark(it.protocol), mark(it.transports.join(" ")),
      element("span", { class: "end" }, "since ", moment(it.connected_at))),
    facts([
      ["authorizer", `${it.authorizer}, principal ${it.principal_id}`],
      ["from", `${it.peer}, keep-alive ${it.keep_alive_s} s`],
      ["asked again", countdown(it.refresh_at)],
      ["cut off", countdown(it.disconnect_at)],
      ["subscribed", topics ? mono(topics) : "to nothing"],
    ]),
    element("details", {},
      element("summary", {}, policies.length === 1 ? "Policy" : `${policies.length} policies`), ...policies));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function decision(it) {
  const [word, kind] = OUTCOMES[it.outcome] ?? [it.outcome, "warn"];
  const title = element("span", { class: "title" },
    moment(it.last_at), mark(word, kind), element("strong", {}, it.client_id ?? (it.peer || "somebody")),
    it.repeats ? mark(`${it.repeats + 1} times`, "warn") : null,
    element("span", { class: "end" }, it.decided_by));
  const called = it.outcome === "refused" ? (it.function_called ? "called" : "not called") : it.function_called ? "called" : null;
  const steps = it.steps.map((step) => element("li", { "data-passed": String(step.passed) },
    element("span", {}, step.passed ? "yes" : "no"), element("span", {}, `${step.check}: `, ...prose(step.sentence))));
  return element("li", {},
    element("details", {},
      element("summary", {}, title, element("div", {}, ...prose(it.sentence))),
      facts([
        ["authorizer", it.authorizer],
        ["function", called],
        ["from", it.peer],
        ["request id", it.request_id && mono(it.request_id)],
        ["took", it.duration_ms === null ? null : `${it.duration_ms.toFixed(1)} ms`],
      ]),
      steps.length ? element("ol", { class: "steps", "aria-label": "Checks, in their order" }, ...steps) : null));
}

function authorizer(it) {
  return element("li", {},
    element("div", { class: "title" },
      element("strong", {}, it.name), it.is_active ? mark("active", "good") : mark("inactive", "bad"),
      it.is_default ? mark("default") : null, mark(it.is_signed ? "signed tokens" : "no signature")),
    facts([
      ["function", mono(it.function)],
      ["token key", it.token_key_name && mono(it.token_key_name)],
      ["public keys", it.keys.join(", ")],
    ]));
}

function client(it) {
  const kind = { enabled: "good", disabled: "bad" }[it.state] ?? "warn";
  return element("li", {},
    element("div", { class: "title" },
      element("strong", {}, it.client_id), mark(it.state, kind), element("span", { class: "end" }, it.table)),
    facts([
      ["publishes", it.publish?.length ? mono(it.publish.join(", ")) : null],
      ["subscribes", it.subscribe?.length ? mono(it.subscribe.join(", ")) : null],
      ["secrets", it.secrets.join("; ") || "none"],
      ["note", it.note],
    ]));
}

function fault(it) {
  const whom = it.client_id ? `client ${it.client_id}` : "every client";
  const late = it.delay_s === null ? "" : `, by ${it.delay_s} s`;
  const when = it.left === null ? ["until ", moment(it.ends_at)] : [it.left === 1 ? "once" : `${it.left} times`];
  return element("li", {}, element("strong", {}, it.kind), ` for ${whom}${late}, `, ...when);
}

function message(it) {
  if (it.dropped) return element("li", { class: "soft" }, `${it.dropped} more passed too quickly to be shown`);
  const body = it.text ?? `base64: ${it.base64}`;
  return element("li", {},
    element("div", { class: "title" },
      moment(it.at), element("strong", { class: "mono" }, it.topic), mark(`QoS ${it.qos}`), it.retain ? mark("retain") : null,
      element("span", { class: "end" }, it.client_id ?? "not from a client")),
    body ? element("pre", {}, body) : element("span", { class: "soft" }, "empty"));
}

// --- The state of things ---------------------------------------------------------------------------

let decisions = [];

function showDecisions() {
  const wanted = find("decisions-client").value.trim();
  section("decisions", decisions.filter((each) => (each.client_id ?? "").includes(wanted)), (each) => each.number, decision);
}

async function refresh() {
  const [state, faults] = await Promise.all([call("page"), call("inject")]);
  aheadMs = state.now * 1000 - Date.now();
  const moved = aheadMs > 2000 ? `, ${span(Math.round(aheadMs / 1000))} ahead` : "";
  find("place").textContent =
    `account ${state.account}, ${state.region}, devices at localhost:${state.data_port}, ${clock(state.now)}${moved}`;
  section("connections", state.connections, (each) => each.connection_id, connection);
  section("authorizers", state.authorizers, (each) => each.name, authorizer);
  decisions = state.decisions;
  showDecisions();
  find("faults").hidden = faults.injections.length === 0;
  show(find("faults-list"), faults.injections, (each) => each.number, fault);
  tick();
}

async function refreshClients() {
  const { clients } = await call("page/clients");
  section("clients", clients, (each) => `${each.table} ${each.client_id}`, client);
}

// --- The test client -------------------------------------------------------------------------------

// One WebSocket carries it. Each request gets one answer, in its order; messages come in between.

const filters = new Set(["#"]);
let messages = [], lastMessage = 0;
let socket, unanswered = [], retryMs = FIRST_RETRY_MS;

function connect() {
  socket = new WebSocket(`ws://${location.host}/_emulator/messages`, SUBPROTOCOL);
  socket.addEventListener("open", () => {
    retryMs = FIRST_RETRY_MS;
    const subscribed = Array.from(filters, (filter) => request({ subscribe: filter }));
    Promise.all(subscribed).then(() => answer("messages-state", ""), () => {}); // that it broke, its close tells
  });
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    if (find("messages-state").textContent !== NOT_LIVE) answer("messages-state", NOT_LIVE, true); // said once
    unanswered.forEach(({ reject }) => reject(new Refusal("not live: the connection broke before the answer")));
    unanswered = [];
    setTimeout(connect, retryMs);
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
  });
}

async function request(frame) {
  if (socket.readyState !== WebSocket.OPEN) throw new Refusal("not live: the emulator does not answer");
  socket.send(JSON.stringify(frame));
  return new Promise((resolve, reject) => unanswered.push({ resolve, reject }));
}

function hear(frame) {
  if (frame.messages) return take(frame);
  const { resolve, reject } = unanswered.shift();
  if (frame.error) reject(new Refusal(frame.message));
  else resolve(frame.answer);
}

function take(news) {
  const rows = news.dropped ? [{ dropped: news.dropped }, ...news.messages] : news.messages;
  const numbered = rows.map((row) => ({ ...row, number: ++lastMessage }));
  messages = [...numbered.reverse(), ...messages].slice(0, SHOWN_MESSAGES);
  showMessages();
}

function showMessages() {
  section("messages", messages, (each) => each.number, message);
  find("messages-clear").hidden = messages.length === 0;
}

function showFilters() {
  show(find("filters"), Array.from(filters), (each) => each, (each) => {
    const button = element("button", { type: "button", class: "quiet", "aria-label": `Unsubscribe from ${each}` }, `${each} ×`);
    button.addEventListener("click", () => unsubscribe(each));
    return element("li", {}, button);
  });
}

function unsubscribe(filter) {
  filters.delete(filter);
  showFilters();
  find("subscribe-filter").focus();
  request({ unsubscribe: filter }).catch(() => {}); // a connection that is gone has forgotten it
}

function answer(id, text, isBad = false) {
  find(id).replaceChildren(...prose(text));
  find(id).toggleAttribute("data-bad", isBad);
}

// Do `work` for a form, and say what came of it.
function onSubmit(form, work) {
  find(form).addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      answer(`${form}-answer`, await work());
    } catch (problem) {
      answer(`${form}-answer`, problem instanceof Refusal ? problem.message : "the emulator does not answer", true);
    }
  });
}

onSubmit("subscribe", async () => {
  const filter = find("subscribe-filter").value;
  await request({ subscribe: filter });
  filters.add(filter);
  showFilters();
  return `subscribed to ${filter}`;
});

onSubmit("publish", async () => {
  const published = await request({
    publish: {
      topic: find("publish-topic").value,
      payload: find("publish-payload").value,
      qos: Number(find("publish-qos").value),
      retain: find("publish-retain").checked,
    },
  });
  return `published ${published.bytes} bytes on ${published.topic}`;
});

find("messages-clear").addEventListener("click", () => {
  messages = [];
  showMessages();
});
find("decisions-client").addEventListener("input", showDecisions);
find("faults-clear").addEventListener("click", async () => {
  await tell("inject/clear", {});
  await refresh();
});

// --- For ever --------------------------------------------------------------------------------------

function state(kind, text) {
  if (find("state").textContent !== text) find("state").textContent = text; // else it would be read aloud again
  find("state").dataset.state = kind;
}

async function follow(work, everyMs) {
  for (;;) {
    if (!document.hidden) {
      try {
        await work();
        state("live", "live");
      } catch (problem) {
        state("gone", problem instanceof Refusal ? problem.message : "the emulator does not answer; trying again");
      }
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

showFilters();
connect();
follow(refresh, EVERY_MS);
follow(refreshClients, CLIENTS_EVERY_MS);
setInterval(tick, 1000);
