// What a person does with the picture: select, move, zoom, filter, follow a send.

const meta = JSON.parse(document.getElementById("meta").textContent);
const events = decode(document.getElementById("events").textContent.trim(), meta);
const joined = join(events, meta);
const find = (id) => document.getElementById(id);
const picture = new Picture(find("lanes"), find("scrub"), meta, events, joined);
let asked = false;
let nextViolation = 0;

function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    picture.draw();
  });
}

function look(from, to) {
  const span = Math.min(Math.max(to - from, 50), meta.end_us * 1.05);
  const first = Math.min(Math.max(from, -span * 0.1), meta.end_us * 1.05 - span * 0.9);
  picture.view = { from: first, to: first + span };
  redraw();
}

function zoom(factor, at = (picture.view.from + picture.view.to) / 2) {
  const { from, to } = picture.view;
  look(at - (at - from) * factor, at + (to - at) * factor);
}

// Everything up to healing: what follows is quiet.
function fit() {
  const last = Math.min(meta.end_us, (joined.healed ?? meta.run_us) * 1.03);
  look(-last * 0.01, last);
}

// A violation is about a send: show all of its life.
function selectWithLife(event) {
  select(event);
  const send = joined.sends.get(event.ticket);
  const [from, to] = send ? [send.at, send.to ?? meta.end_us] : [event.at, event.at + (event.took ?? 0)];
  const room = Math.max((to - from) * 0.25, 5_000);
  look(from - room, to + room);
}

function select(event, { centre = false } = {}) {
  picture.selected = event;
  if (event && centre) {
    const { from, to } = picture.view;
    const span = Math.min(to - from, Math.max(20_000, (event.took ?? 0) * 6));
    if (event.at < from + span * 0.1 || event.at > to - span * 0.1 || span < to - from) {
      look(event.at - span / 2, event.at + span / 2);
    }
  }
  history.replaceState(null, "", event ? `#e${event.index}` : location.pathname + location.search);
  showDetail(event);
  redraw();
}

function element(name, text, more = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  Object.assign(made, more);
  return made;
}

function button(event, current) {
  const made = element("button", undefined, { onclick: () => select(event, { centre: true }) });
  made.append(element("time", exact(event.at)), (meta.hosts[event.host] ?? "cluster") + ": " + event.name);
  if (event === current) made.setAttribute("aria-current", "true");
  return made;
}

const exact = (us) => `${(us / 1e3).toFixed(3)} ms`;

function facts(event) {
  const host = (number) => meta.hosts[number] ?? "the cluster";
  const list = [["When", exact(event.at)], ["Where", host(event.host)]];
  const add = (name, value) => { if (value !== null && value !== undefined && value !== "") list.push([name, String(value)]); };
  if (event.kind === "frame") {
    add(event.answer ? "Answer" : "Request", event.code);
    add("Number", `#${event.opaque}`);
    add("To", host(event.to));
    add("Arrives", event.took === null ? "never" : `after ${exact(event.took)}`);
    add("Topic", event.topic);
    add("Queue", event.queue);
    add("Offset", event.offset);
    add("Remark", event.remark);
    add("Send", event.ticket);
    if (event.attempt) add("Attempt", event.attempt);
    add("Size", `${event.bytes} bytes`);
    add("Connection", event.link);
  } else if (event.kind === "dial") {
    add("To", host(event.to));
    add("Ends", event.took === null ? "never" : `${event.what}, after ${exact(event.took)}`);
    add("Connection", event.link);
  } else if (event.kind === "asked") {
    add("Topic", event.topic);
    add("Mode", event.mode);
    add("Key", event.key);
    if (event.probe) add("Sent", "after healing, to see whether sends succeed");
  } else if (event.kind === "ended") {
    const send = joined.sends.get(event.ticket);
    if (send) add("Took", exact(event.at - send.at));
    add("How", event.how);
    add("What", event.what);
    if (event.broker) add("Place", `${event.broker}, queue ${event.queue}, offset ${event.offset}`);
  } else if (event.kind === "begins" || event.kind === "ends") {
    const { more, target } = meta.faults[event.fault];
    add("At", target);
    for (const [name, value] of Object.entries(more)) add(name, typeof value === "object" ? JSON.stringify(value) : value);
  } else {
    add("With", event.to === undefined ? "" : host(event.to));
    add("Why", event.what);
    add("Connection", event.link);
  }
  return list;
}

function showDetail(event) {
  const [detail, story] = [find("detail"), find("story")];
  detail.replaceChildren();
  story.replaceChildren();
  for (const row of find("wrong").querySelectorAll("button")) {
    row.toggleAttribute("aria-current", false);
    if (event && row.dataset.event === String(event.index)) row.setAttribute("aria-current", "true");
  }
  if (!event) {
    detail.append(element("p", "Select an event: click it, or walk with the arrow keys.", { className: "quiet" }));
    return;
  }
  detail.append(element("h2", `Event ${event.index}`), element("h3", event.name));
  const list = element("dl");
  for (const [name, value] of facts(event)) list.append(element("dt", name), element("dd", value));
  detail.append(list);
  if (event.why) detail.append(element("p", `Why there: ${event.why}`, { className: "why" }));
  const steps = element("div", undefined, { className: "steps" });
  steps.append(
    element("button", "← before", { onclick: () => step(-1) }),
    element("button", "after →", { onclick: () => step(1) }),
  );
  detail.append(steps);
  const send = joined.sends.get(event.ticket);
  if (!send) return;
  const rows = element("div", undefined, { className: "rows" });
  rows.append(...send.events.map((index) => button(events[index], event)));
  story.append(element("h2", `All of send ${send.ticket}`), rows);
}

function showViolations() {
  const wrong = find("wrong");
  const { violations } = meta;
  if (violations.length === 0) {
    wrong.append(element("h2", "Violations"), element("p", "None: every invariant holds.", { className: "quiet" }));
    return;
  }
  const rows = element("div", undefined, { className: "rows" });
  for (const violation of violations.slice(0, 200)) {
    const row = element("button");
    row.append(element("b", `${violation.id} ${violation.name} `), violation.what);
    if (violation.event !== null) row.dataset.event = violation.event;
    row.onclick = () => violation.event !== null && selectWithLife(events[violation.event]);
    rows.append(row);
  }
  wrong.append(element("h2", `Violations: ${violations.length}`), rows);
}

// The next event among those that are shown, or among those of the send.
function step(by, within = picture.shown) {
  const current = picture.selected;
  if (!current) {
    const first = lowerBound(within, picture.view.from);
    return select(within[Math.min(first, within.length - 1)] ?? null, { centre: true });
  }
  const place = within.findIndex((event) => event.index >= current.index);
  const exactly = within[place]?.index === current.index;
  const next = place < 0 ? within.length - 1 : by > 0 && !exactly ? place : place + by;
  select(within[Math.min(Math.max(next, 0), within.length - 1)], { centre: true });
}

function stepOfSend(by) {
  const send = joined.sends.get(picture.selected?.ticket);
  if (send) step(by, send.events.map((index) => events[index]));
}

function filter() {
  const words = find("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = words.join(" ");
  const chores = find("chores").checked || words.length > 0;
  picture.shown = events.filter((event) => (chores || event.tone !== "chore") && matches(event, text, words));
  find("where").textContent = words.length ? `${picture.shown.length} of ${events.length} events` : "";
  redraw();
}

// "send 3" is that send and not send 31; other words are looked for wherever they stand.
function matches(event, text, words) {
  const send = /^send (\d+)$/.exec(text);
  if (send) return event.ticket === Number(send[1]);
  return words.every((word) => event.text.includes(word) || (event.why ?? "").includes(word));
}

function listen() {
  const { canvas, scrub } = picture;
  let drag = null;
  canvas.addEventListener("pointerdown", (e) => {
    drag = { x: e.offsetX, view: { ...picture.view }, moved: false };
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    if (!drag) {
      const near = e.offsetX > LABEL ? picture.at(e.offsetX, e.offsetY) : null;
      canvas.title = near ? near.name : "";
      if (e.offsetX > LABEL && !find("filter").value) find("where").textContent = exact(picture.time(e.offsetX));
      return;
    }
    const by = e.offsetX - drag.x;
    drag.moved ||= Math.abs(by) > 3;
    if (!drag.moved) return;
    const time = (by / (picture.width - LABEL - 10)) * (drag.view.to - drag.view.from);
    look(drag.view.from - time, drag.view.to - time);
  });
  canvas.addEventListener("pointerup", (e) => {
    if (drag && !drag.moved) select(picture.at(e.offsetX, e.offsetY));
    drag = null;
  });
  canvas.addEventListener("wheel", (e) => {
    e.preventDefault();
    const span = picture.view.to - picture.view.from;
    if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      const by = ((e.deltaX || e.deltaY) / picture.width) * span;
      look(picture.view.from + by, picture.view.to + by);
    } else {
      zoom(Math.exp(e.deltaY * 0.002), picture.time(Math.max(e.offsetX, LABEL)));
    }
  }, { passive: false });
  const scrubTo = (e) => {
    const half = (picture.view.to - picture.view.from) / 2;
    const time = picture.stripTime(e.offsetX);
    look(time - half, time + half);
  };
  scrub.addEventListener("pointerdown", (e) => {
    scrub.setPointerCapture(e.pointerId);
    scrubTo(e);
  });
  scrub.addEventListener("pointermove", (e) => { if (e.buttons & 1) scrubTo(e); });
  find("filter").addEventListener("input", filter);
  find("chores").addEventListener("change", filter);
  find("fit").onclick = fit;
  find("in").onclick = () => zoom(0.6);
  find("out").onclick = () => zoom(1.6);
  find("help").onclick = () => find("keys").showModal();
  window.addEventListener("hashchange", follow);
  window.addEventListener("resize", () => { picture.resize(); redraw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { picture.recolour(); redraw(); });
  document.addEventListener("keydown", press);
}

function press(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || find("keys").open) return;
  if (e.target instanceof HTMLInputElement) {
    if (e.key === "Escape") e.target.blur();
    return;
  }
  const by = (picture.view.to - picture.view.from) * 0.2;
  const move = (sign) => look(picture.view.from + sign * by, picture.view.to + sign * by);
  const keys = {
    ArrowLeft: () => (e.shiftKey ? move(-1) : step(-1)),
    ArrowRight: () => (e.shiftKey ? move(1) : step(1)),
    ArrowUp: () => stepOfSend(-1),
    ArrowDown: () => stepOfSend(1),
    "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1.6), 0: fit,
    "/": () => find("filter").focus(),
    "?": () => find("keys").showModal(),
    v: () => showNextViolation(),
    Escape: () => select(null),
  };
  const act = keys[e.key];
  if (!act) return;
  e.preventDefault();
  act();
}

function showNextViolation() {
  const known = meta.violations.filter((violation) => violation.event !== null);
  if (known.length) selectWithLife(events[known[nextViolation++ % known.length].event]);
}

// To the event that the address names.
function follow() {
  const named = /^#e(\d+)$/.exec(location.hash);
  const event = named && events[Number(named[1])];
  if (event && event !== picture.selected) select(event, { centre: true });
  return Boolean(event);
}

find("hash").textContent = `trace ${meta.hash}`;
find("plan").textContent = JSON.stringify(meta.plan, null, 2);
showViolations();
picture.resize();
fit();
filter();
listen();
if (!follow()) showDetail(null);
picture.draw();
// For tests, and for those who open the console.
window.timeline = { meta, events, joined, picture };
document.documentElement.dataset.ready = "yes";
