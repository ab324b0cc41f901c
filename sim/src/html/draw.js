// Lanes, arcs and bands on a canvas: where things are, how they look, what is under the pointer.

const LABEL = 104;
const AXIS = 26;
const ROWS_MAX = 14;
const ROW = 5;

class Picture {
  constructor(canvas, scrub, meta, events, joined) {
    Object.assign(this, { canvas, scrub, meta, events, joined });
    this.view = { from: 0, to: Math.max(1, meta.run_us) };
    this.selected = null;
    this.shown = events;
    this.arcs = 0;
    this.rowsOfSends();
    this.recolour();
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    const names = ["back", "panel", "line", "text", "quiet", "lane", "send", "good", "bad", "lost",
      "chore", "fault", "pick", "heal"];
    this.colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    this.density = null;
  }

  // Sends that overlap lie in rows above one another.
  rowsOfSends() {
    this.rows = this.meta.hosts.map(() => 0);
    const busy = this.meta.hosts.map(() => []);
    for (const send of this.joined.sends.values()) {
      const lanes = busy[send.host];
      let row = lanes.findIndex((until) => until <= send.at);
      if (row < 0) row = lanes.length < ROWS_MAX ? lanes.length : ROWS_MAX - 1;
      lanes[row] = Math.max(lanes[row] ?? 0, (send.to ?? this.meta.end_us) + 1);
      send.row = row;
      this.rows[send.host] = Math.max(this.rows[send.host], row + 1);
    }
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.scrub]) {
      const { width, height } = canvas.getBoundingClientRect();
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    }
    const { width, height } = this.canvas.getBoundingClientRect();
    [this.width, this.height] = [width, height];
    this.density = null;
    const bars = this.meta.hosts.map((_, host) => this.rows[host] * ROW);
    const free = height - AXIS - 12 - bars.reduce((sum, bar) => sum + bar, 0);
    const step = Math.max(30, free / this.meta.hosts.length);
    let y = AXIS;
    this.lanes = this.meta.hosts.map((name, host) => {
      const lane = { name, top: y, line: y + bars[host] + step / 2, height: bars[host] + step };
      y += lane.height;
      return lane;
    });
  }

  x(time) {
    const { from, to } = this.view;
    return LABEL + ((time - from) / (to - from)) * (this.width - LABEL - 10);
  }

  time(x) {
    const { from, to } = this.view;
    return from + ((x - LABEL) / (this.width - LABEL - 10)) * (to - from);
  }

  // Events that may be seen, those that begin before and end within the view included.
  visible() {
    const first = lowerBound(this.shown, this.view.from - this.joined.longest);
    const last = lowerBound(this.shown, this.view.to + 1);
    return this.shown.slice(first, last).filter((event) => event.at + (event.took ?? 0) >= this.view.from);
  }

  draw() {
    const g = this.canvas.getContext("2d");
    const c = this.colours;
    g.clearRect(0, 0, this.width, this.height);
    this.drawLanes(g, c);
    g.save();
    g.beginPath();
    g.rect(LABEL, 0, this.width - LABEL, this.height);
    g.clip();
    this.drawFaults(g, c);
    this.drawSends(g, c);
    const visible = this.visible();
    this.drawArcs(g, c, visible);
    this.drawMarks(g, c, visible);
    this.drawSelected(g, c);
    this.drawViolations(g, c);
    g.restore();
    this.drawScrub();
  }

  drawLanes(g, c) {
    g.font = "12px " + getComputedStyle(document.body).fontFamily;
    g.textBaseline = "middle";
    this.lanes.forEach((lane, number) => {
      if (number % 2 === 0) {
        g.fillStyle = c.lane;
        g.fillRect(0, lane.top, this.width, lane.height);
      }
      g.strokeStyle = c.line;
      g.beginPath();
      g.moveTo(LABEL, lane.line);
      g.lineTo(this.width, lane.line);
      g.stroke();
      g.fillStyle = c.text;
      g.textAlign = "right";
      g.fillText(lane.name, LABEL - 10, lane.line);
    });
    const step = tickStep((this.view.to - this.view.from) / Math.max(2, (this.width - LABEL) / 110));
    g.textAlign = "center";
    for (let at = Math.ceil(this.view.from / step) * step; at <= this.view.to; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      g.strokeStyle = c.line;
      g.beginPath();
      g.moveTo(x, AXIS - 5);
      g.lineTo(x, this.height);
      g.stroke();
      g.fillStyle = c.quiet;
      g.fillText(timeText(at, step), Math.max(x, LABEL + 20), 11);
    }
  }

  drawFaults(g, c) {
    for (const fault of this.joined.faults) {
      const [from, to] = [this.x(fault.from), this.x(Math.max(fault.to, fault.from))];
      if (to < LABEL || from > this.width) continue;
      const lane = this.lanes[fault.host];
      const [top, height] = lane ? [lane.top, lane.height] : [AXIS, this.height - AXIS];
      g.fillStyle = c.fault;
      g.globalAlpha = 0.16;
      g.fillRect(from, top, Math.max(3, to - from), height);
      g.globalAlpha = 1;
      g.fillRect(from, top, Math.max(3, to - from), 2);
      g.textAlign = "left";
      const name = fault.kind.replaceAll("_", " ");
      if (to - from > 24 || this.joined.faults.length < 20) g.fillText(name, Math.max(from + 4, LABEL + 4), top + 11);
    }
    if (this.joined.healed !== null) {
      const x = this.x(this.joined.healed);
      g.strokeStyle = c.heal;
      g.setLineDash([2, 3]);
      g.beginPath();
      g.moveTo(x, AXIS);
      g.lineTo(x, this.height);
      g.stroke();
      g.setLineDash([]);
      g.fillStyle = c.heal;
      const late = x > this.width - 60;
      g.textAlign = late ? "right" : "left";
      g.fillText("healed", late ? x - 4 : x + 4, this.height - 9);
    }
  }

  drawSends(g, c) {
    for (const send of this.joined.sends.values()) {
      const from = this.x(send.at);
      const to = this.x(send.to ?? this.meta.end_us);
      if (to < LABEL || from > this.width) continue;
      const good = send.how === "stored" || send.how === "written";
      g.fillStyle = good ? c.good : c.bad;
      g.globalAlpha = this.dim(send) ? 0.15 : 0.75;
      const { top } = this.lanes[send.host];
      g.fillRect(from, top + 5 + send.row * ROW, Math.max(2, to - from), ROW - 2);
    }
    g.globalAlpha = 1;
  }

  // While a send is selected, the others step back.
  dim(event) {
    const ticket = this.selected?.ticket;
    return ticket !== undefined && ticket !== null && event.ticket !== ticket;
  }

  drawArcs(g, c, visible) {
    const groups = new Map();
    this.arcs = 0;
    for (const event of visible) {
      if (event.kind !== "frame" && event.kind !== "dial") continue;
      const key = event.tone + (this.dim(event) ? " dim" : "");
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(event);
      this.arcs += 1;
    }
    for (const [key, group] of groups) {
      const [tone, dim] = key.split(" ");
      g.strokeStyle = c[tone];
      g.fillStyle = c[tone];
      // Where lines lie side by side, or upon one another, each is fainter, and has no head.
      const crowd = group.length / (this.width / 8);
      g.globalAlpha = (dim ? 0.12 : tone === "chore" ? 0.5 : 0.9) / Math.max(1, Math.sqrt(crowd));
      g.lineWidth = tone === "chore" ? 1 : 1.4;
      g.setLineDash(tone === "lost" ? [4, 3] : []);
      g.beginPath();
      for (const event of group) this.arc(g, event);
      g.stroke();
      g.setLineDash([]);
      if (crowd < 1 || tone === "lost") for (const event of group) this.head(g, event);
    }
    g.globalAlpha = 1;
    g.lineWidth = 1;
  }

  ends(event) {
    const [from, to] = [this.lanes[event.host].line, this.lanes[event.to].line];
    const start = this.x(event.at);
    if (event.took === null) {
      const reach = from + (to - from) * 0.55;
      return { x0: start, y0: from, x1: start + 14, y1: reach, lost: true };
    }
    return { x0: start, y0: from, x1: this.x(event.at + event.took), y1: to, lost: false };
  }

  arc(g, event) {
    const { x0, y0, x1, y1 } = this.ends(event);
    g.moveTo(x0, y0);
    g.lineTo(x1, y1);
  }

  // An arrow where it arrives, a cross where it was lost.
  head(g, event) {
    const { x0, y0, x1, y1, lost } = this.ends(event);
    if (x1 < LABEL - 9 || x1 > this.width + 9) return;
    g.beginPath();
    if (lost) {
      g.moveTo(x1 - 4, y1 - 4);
      g.lineTo(x1 + 4, y1 + 4);
      g.moveTo(x1 + 4, y1 - 4);
      g.lineTo(x1 - 4, y1 + 4);
      g.stroke();
      return;
    }
    const angle = Math.atan2(y1 - y0, x1 - x0);
    g.moveTo(x1, y1);
    g.lineTo(x1 - 7 * Math.cos(angle - 0.35), y1 - 7 * Math.sin(angle - 0.35));
    g.lineTo(x1 - 7 * Math.cos(angle + 0.35), y1 - 7 * Math.sin(angle + 0.35));
    g.fill();
  }

  drawMarks(g, c, visible) {
    for (const event of visible) {
      if (event.host === null || event.kind === "frame" || event.kind === "dial") continue;
      const { x, y } = this.spot(event);
      g.fillStyle = c[event.tone];
      g.globalAlpha = this.dim(event) ? 0.15 : 1;
      g.beginPath();
      if (event.kind === "closed" || event.kind === "garbage") g.rect(x - 2.5, y - 2.5, 5, 5);
      else g.arc(x, y, event.kind === "ended" || event.kind === "asked" ? 2.2 : 3.5, 0, 7);
      g.fill();
    }
    g.globalAlpha = 1;
  }

  // Where an event that is no arc stands.
  spot(event) {
    const lane = this.lanes[event.host] ?? { line: this.height - 9, top: AXIS };
    if (event.kind === "asked" || event.kind === "ended") {
      const row = this.joined.sends.get(event.ticket)?.row ?? 0;
      return { x: this.x(event.at), y: lane.top + 5 + row * ROW + (ROW - 2) / 2 };
    }
    return { x: this.x(event.at), y: lane.line };
  }

  drawSelected(g, c) {
    const event = this.selected;
    if (!event) return;
    g.strokeStyle = c.pick;
    g.fillStyle = c.pick;
    const x = Math.round(this.x(event.at)) + 0.5;
    g.globalAlpha = 0.35;
    g.beginPath();
    g.moveTo(x, AXIS);
    g.lineTo(x, this.height);
    g.stroke();
    g.globalAlpha = 1;
    g.lineWidth = 2.6;
    if ((event.kind === "frame" || event.kind === "dial") && event.host !== null) {
      g.beginPath();
      this.arc(g, event);
      g.stroke();
      this.head(g, event);
    }
    const { x: at, y } = this.spot(event);
    g.beginPath();
    g.arc(at, y, 6, 0, 7);
    g.stroke();
    g.lineWidth = 1;
  }

  // A flag at the top for each violation whose event is known.
  drawViolations(g, c) {
    g.font = "600 11px " + getComputedStyle(document.body).fontFamily;
    g.textAlign = "left";
    const seen = new Set();
    for (const { id, event } of this.meta.violations) {
      if (event === null) continue;
      const x = Math.round(this.x(this.events[event].at));
      if (x < LABEL || x > this.width || seen.has(x)) continue;
      seen.add(x);
      g.fillStyle = c.bad;
      g.globalAlpha = 0.35;
      g.fillRect(x, AXIS - 16, 1, this.height);
      g.globalAlpha = 1;
      const width = g.measureText(id).width + 8;
      g.fillRect(x, AXIS - 16, width, 15);
      g.fillStyle = c.panel;
      g.fillText(id, x + 5, AXIS - 8);
    }
  }

  // What follows healing is long and quiet, and gets a fifth of the strip.
  get bend() {
    const { healed } = this.joined;
    return healed === null ? this.meta.end_us : Math.min(this.meta.end_us, healed * 1.4 + 1e5);
  }

  stripX(time) {
    const width = this.width - LABEL - 10;
    const { bend } = this;
    const share = bend < this.meta.end_us ? 0.8 : 1;
    if (time <= bend) return LABEL + (time / bend) * share * width;
    return LABEL + (share + ((time - bend) / (this.meta.end_us - bend)) * (1 - share)) * width;
  }

  stripTime(x) {
    const place = Math.min(1, Math.max(0, (x - LABEL) / (this.width - LABEL - 10)));
    const { bend } = this;
    const share = bend < this.meta.end_us ? 0.8 : 1;
    if (place <= share) return (place / share) * bend;
    return bend + ((place - share) / (1 - share)) * (this.meta.end_us - bend);
  }

  // The whole run in one strip: how much happened when, what was broken, what is in view.
  drawScrub() {
    const g = this.scrub.getContext("2d");
    const c = this.colours;
    const { width, height } = this.scrub.getBoundingClientRect();
    g.clearRect(0, 0, width, height);
    const x = (time) => this.stripX(time);
    if (!this.density) {
      this.density = new Float64Array(Math.max(1, Math.floor(width - LABEL - 10)));
      for (const event of this.events) {
        this.density[Math.min(this.density.length - 1, Math.floor(x(event.at) - LABEL))] += 1;
      }
      this.most = Math.log1p(Math.max(...this.density));
    }
    g.fillStyle = c.lane;
    g.fillRect(LABEL, 0, width - LABEL - 10, height);
    g.globalAlpha = 0.3;
    g.fillStyle = c.fault;
    for (const fault of this.joined.faults) {
      g.fillRect(x(fault.from), 0, Math.max(2, x(fault.to) - x(fault.from)), height);
    }
    g.globalAlpha = 1;
    g.fillStyle = c.chore;
    this.density.forEach((count, at) => {
      const high = count ? Math.max(2, (Math.log1p(count) / this.most) * (height - 8)) : 0;
      g.fillRect(LABEL + at, height - high, 1, high);
    });
    g.fillStyle = c.bad;
    for (const violation of this.meta.violations) {
      if (violation.event === null) continue;
      g.fillRect(x(this.events[violation.event].at) - 1, 0, 3, 8);
    }
    if (this.bend < this.meta.end_us) {
      g.fillStyle = c.quiet;
      g.textAlign = "left";
      g.font = "11px " + getComputedStyle(document.body).fontFamily;
      g.fillText("after healing, compressed", x(this.bend) + 6, 12);
      g.fillRect(x(this.bend), 0, 1, height);
    }
    const [from, to] = [x(Math.max(0, this.view.from)), x(Math.min(this.meta.end_us, this.view.to))];
    g.fillStyle = c.pick;
    g.globalAlpha = 0.13;
    g.fillRect(from, 0, Math.max(3, to - from), height);
    g.globalAlpha = 1;
    g.strokeStyle = c.pick;
    g.strokeRect(from + 0.5, 0.5, Math.max(3, to - from) - 1, height - 1);
  }

  // The event nearest to a point of the canvas, if any is near.
  at(x, y) {
    let [best, least] = [null, 9];
    for (const event of this.visible()) {
      if (event.host === null) continue;
      let away;
      if (event.kind === "frame" || event.kind === "dial") {
        const { x0, y0, x1, y1 } = this.ends(event);
        away = distance(x, y, x0, y0, x1, y1) + 1;
      } else {
        const spot = this.spot(event);
        away = Math.hypot(x - spot.x, y - spot.y);
      }
      if (away < least) [best, least] = [event, away];
    }
    return best ?? this.bar(x, y);
  }

  // The bar of a send under a point.
  bar(x, y) {
    const time = this.time(x);
    for (const send of this.joined.sends.values()) {
      const top = this.lanes[send.host].top + 5 + send.row * ROW;
      if (time >= send.at && time <= (send.to ?? this.meta.end_us) && Math.abs(y - top - 1) <= ROW / 2) {
        return this.events[send.index];
      }
    }
    return null;
  }
}

function distance(x, y, x0, y0, x1, y1) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}

// The first place in events, which are sorted, that is not before a time.
function lowerBound(events, time) {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].at < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function tickStep(least) {
  let step = 1;
  while (step * 10 < least) step *= 10;
  return [1, 2, 5, 10].map((factor) => step * factor).find((candidate) => candidate >= least) ?? step * 10;
}

function timeText(us, step) {
  if (step >= 1e6) return `${us / 1e6} s`;
  if (us === 0) return "0";
  if (step >= 1e3) return us >= 1e6 ? `${(us / 1e6).toFixed(step >= 1e5 ? 1 : step >= 1e4 ? 2 : 3)} s` : `${us / 1e3} ms`;
  return `${(us / 1e3).toFixed(step >= 100 ? 1 : 3)} ms`;
}
