// The page as a whole: where one stands, what is asked for there, playing, links, and the tape as it grows.

import { ask, isOver } from "./api.js";
import { $, make, put } from "./dom.js";
import { count, date, many, precise, setZone, zoneName } from "./format.js";
import { listen } from "./keys.js";
import { Ladder } from "./ladder.js";
import { Price, SPANS } from "./price.js";
import { inspect, Records } from "./records.js";
import { Side } from "./side.js";
import * as theme from "./theme.js";
import { lasts, Timeline } from "./timeline.js";
import { ENDS } from "./words.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800];
const ROWS = 80;
const BEAT_MS = 80; // between two pictures while it plays: twelve a second
const LOOK_MS = 500; // between two looks at a tape that grows

class App {
  constructor() {
    this.tape = null;
    this.state = null;
    this.market = "";
    this.speed = 1;
    this.isPlaying = false;
    this.isLive = false;
    this.asked = 0;
    this.timeline = new Timeline((place) => this.go(place));
    this.price = new Price((place) => this.go(place), (step) => this.zoom(step));
    this.ladder = new Ladder();
    this.records = new Records((place) => this.go(place), () => this.again());
    this.side = new Side(this);
  }

  async begin() {
    theme.begin();
    this.controls();
    this.take(await ask("tape"));
    if (!this.tape.records) {
      this.complain(new Error("This tape holds no record yet. The page goes on looking."));
    } else {
      const place = await this.first();
      await Promise.all([this.timeline.load(this.tape), this.go(place)]);
    }
    document.documentElement.dataset.ready = "yes";
    this.watch();
  }

  // Where a link leads; without one, to where it is most of interest.
  async first() {
    const link = this.linked();
    if (link.span) this.price.span = link.span;
    const busiest = this.tape.markets[0]?.[0] ?? "";
    if (link.seq !== undefined || link.ms !== undefined) return { market: busiest, ...link };
    const { seq, live } = await ask("start");
    this.follow(live);
    return { seq, market: link.market ?? busiest };
  }

  linked() {
    const values = new URLSearchParams(location.hash.slice(1));
    const found = {};
    if (/^\d{1,15}$/.test(values.get("seq") ?? "")) found.seq = Number(values.get("seq"));
    if (/^\d{1,16}(\.\d+)?$/.test(values.get("ms") ?? "")) found.ms = Number(values.get("ms"));
    if (values.get("market")) found.market = values.get("market").slice(0, 200);
    const span = Number(values.get("span"));
    if (SPANS.includes(span)) found.span = span;
    return found;
  }

  // Stand somewhere: at a record, or at the last record received by an instant.
  async go({ seq, ms, market }, isPlaying = false) {
    if (!isPlaying) {
      this.pause();
      if (this.isLive && seq !== this.tape.records - 1) this.follow(false);
    }
    const wanted = market || this.market;
    const asked = ++this.asked;
    try {
      const state = await ask("state", { seq, ms: seq === undefined ? ms : undefined, market: wanted, count: ROWS, show: this.records.show });
      if (asked !== this.asked) return;
      this.complain(null);
      this.show(state);
    } catch (error) {
      if (!isOver(error)) this.complain(error);
    }
  }

  again() {
    if (this.state) this.go({ seq: this.state.seq });
  }

  show(state) {
    this.state = state;
    this.market = state.market;
    if (document.activeElement !== $("market")) $("market").value = state.market;
    put($("clock"), `${date(state.when_ms)}  ${precise(state.when_ms)} ${zoneName()}`);
    $("clock").dateTime = state.when;
    put($("seq"), `record #${count(state.seq)} of ${count(this.tape.records)}`);
    this.ladder.show(state.book, state.market);
    this.records.take(state.rows, state.seq);
    inspect(state.record);
    this.side.take(state);
    if (state.market) this.price.stand(state.when_ms, state.market, this.tape.gaps, this.isLive).then(() => this.timeline.stand(state.when_ms, this.price.window), (error) => this.complain(error));
    this.timeline.stand(state.when_ms, this.price.window);
    this.link();
  }

  link() {
    const values = new URLSearchParams({ seq: this.state.seq, market: this.market, span: this.price.span });
    if (!this.isPlaying && !this.isLive) history.replaceState(null, "", `#${values}`);
  }

  take(tape) {
    const before = this.tape;
    this.tape = tape;
    put($("name"), tape.name);
    document.title = `${tape.name} · Tapedeck`;
    const [words, look] = ENDS[tape.ended] ?? [tape.ended, ""];
    put($("ended"), words);
    $("ended").className = `pill ${look}`;
    put($("facts"), [many(tape.records, "record"), many(tape.markets_in_all, "market"), lasts(tape), tape.environment === "unknown" ? "environment unknown" : tape.environment].join(" · "));
    $("live-label").hidden = tape.ended !== "recording";
    if (before?.markets.length !== tape.markets.length) {
      $("markets").replaceChildren(...tape.markets.slice(0, 2_000).map(([name]) => { const option = make("option"); option.value = name; return option; }));
    }
    if (before?.gaps.length !== tape.gaps.length || before?.examined !== tape.examined) this.side.gaps(tape);
    if (tape.problem) this.complain(new Error(tape.problem));
  }

  // The tape may grow, and is still being looked through at first.
  async watch() {
    for (;;) {
      const isDone = this.tape.ended !== "recording" && this.tape.outlined >= this.tape.records && this.tape.examined >= this.tape.records;
      await new Promise((done) => setTimeout(done, isDone ? 4 * LOOK_MS : LOOK_MS));
      if (document.hidden) continue;
      try {
        const before = this.tape;
        const tape = await ask("tape");
        const isNew = tape.records !== before.records || tape.outlined !== before.outlined || tape.gaps.length !== before.gaps.length;
        this.take(tape);
        if (!before.records && tape.records) await this.go(await this.first());
        else if (this.isLive && tape.records !== before.records) await this.go({ seq: tape.records - 1 }, true);
        if (isNew) await this.timeline.load(tape);
        if (this.lost) { this.lost = false; this.complain(null); }
      } catch (error) {
        if (isOver(error)) continue;
        this.lost = true;
        this.complain(new Error("The server does not answer: is `tapedeck view` still running?"));
      }
    }
  }

  complain(error) {
    const problem = $("problem");
    problem.hidden = !error;
    put(problem, error ? error.message : "");
  }

  async next(what, step) {
    if (!this.state) return;
    try {
      const { seq, market } = await ask("next", { seq: this.state.seq, step, what, market: this.market });
      if (seq === null) this.tell(`No ${what} ${step > 0 ? "after" : "before"} this record.`);
      else await this.go({ seq, market });
    } catch (error) {
      if (!isOver(error)) this.complain(error);
    }
  }

  tell(words) {
    $("told")?.remove();
    const told = make("div", "", words);
    told.id = "told";
    told.setAttribute("role", "status");
    document.body.append(told);
    setTimeout(() => told.remove(), 2_500);
  }

  step(by) {
    if (!this.state) return;
    const seq = Math.min(Math.max((this.wanted ?? this.state.seq) + by, 0), this.tape.records - 1);
    this.wanted = seq;
    this.go({ seq }).finally(() => { if (this.wanted === seq) this.wanted = undefined; });
  }

  follow(isLive) {
    this.isLive = isLive;
    $("live").checked = isLive;
    if (isLive) this.pause();
  }

  pause() {
    this.isPlaying = false;
    put($("play"), "▶");
    if (this.state) this.link();
  }

  async play() {
    if (this.isPlaying || !this.state) {
      this.pause();
      return;
    }
    this.follow(false);
    this.isPlaying = true;
    put($("play"), "❚❚");
    let ms = this.state.when_ms;
    let before = performance.now();
    while (this.isPlaying) {
      await new Promise((done) => setTimeout(done, BEAT_MS));
      const now = performance.now();
      ms += (now - before) * this.speed;
      before = now;
      if (!this.isPlaying) return;
      await this.go({ ms }, true);
      if (this.isPlaying && this.state.seq >= this.tape.records - 1) this.pause();
    }
  }

  setSpeed(place) {
    this.speed = SPEEDS[Math.min(Math.max(place, 0), SPEEDS.length - 1)];
    $("speed").value = String(this.speed);
  }

  zoom(step) {
    const place = Math.min(Math.max(SPANS.indexOf(this.price.span) + step, 0), SPANS.length - 1);
    this.price.span = SPANS[place];
    if (this.state) this.show(this.state);
  }

  async jump(text) {
    if (!text.trim()) return;
    try {
      await this.go(await ask("place", { text: text.trim() }));
      $("jump-to").blur();
    } catch (error) {
      if (!isOver(error)) this.complain(error);
    }
  }

  async copy() {
    this.link();
    try {
      await navigator.clipboard.writeText(location.href);
      this.tell("The link to this moment is copied.");
    } catch {
      this.tell("The address bar has the link to this moment.");
    }
  }

  choose(market) {
    if (this.tape.markets.some(([name]) => name === market)) this.go({ seq: this.state.seq, market });
    else this.complain(new Error(`no market ${market} on this tape`));
  }

  controls() {
    for (const speed of SPEEDS) $("speed").append(new Option(`${speed}×`, String(speed)));
    this.setSpeed(SPEEDS.indexOf(1));
    const on = (id, action, kind = "click") => $(id).addEventListener(kind, action);
    on("play", () => this.play());
    on("back", () => this.step(-1));
    on("forward", () => this.step(1));
    on("next-gap", () => this.next("gap", 1));
    on("previous-gap", () => this.next("gap", -1));
    on("next-decision", () => this.next("decision", 1));
    on("previous-decision", () => this.next("decision", -1));
    on("zoom-in", () => this.zoom(-1));
    on("zoom-out", () => this.zoom(1));
    on("theme", theme.toggle);
    on("help", () => $("keys").showModal());
    on("link", () => this.copy());
    on("speed", () => { this.speed = Number($("speed").value); $("speed").blur(); }, "change");
    on("live", () => { this.follow($("live").checked); if (this.isLive) this.go({ seq: this.tape.records - 1 }, true); }, "change");
    on("zone", () => { setZone($("zone").value); this.timeline.paint(); this.price.paint(); this.again(); this.side.gaps(this.tape); }, "change");
    on("market", () => { this.choose($("market").value.trim()); $("market").blur(); }, "change");
    on("jump", (event) => { event.preventDefault(); this.jump($("jump-to").value); }, "submit");
    window.addEventListener("hashchange", () => { const link = this.linked(); if (link.span) this.price.span = link.span; if (link.seq !== undefined || link.ms !== undefined) this.go(link); });
    const faster = (by) => this.setSpeed(SPEEDS.indexOf(this.speed) + by);
    listen({
      " ": () => this.play(), ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
      "Shift+ArrowLeft": () => this.step(-10), "Shift+ArrowRight": () => this.step(10),
      ",": () => this.next("market", -1), ".": () => this.next("market", 1),
      "[": () => this.next("gap", -1), "]": () => this.next("gap", 1),
      D: () => this.next("decision", -1), d: () => this.next("decision", 1),
      F: () => this.next("fill", -1), f: () => this.next("fill", 1),
      I: () => this.next("incident", -1), i: () => this.next("incident", 1),
      "+": () => faster(1), "=": () => faster(1), "-": () => faster(-1),
      z: () => this.zoom(-1), x: () => this.zoom(1),
      Home: () => this.go({ seq: 0 }), End: () => this.go({ seq: this.tape.records - 1 }),
      l: () => { if (this.tape.ended === "recording") { this.follow(!this.isLive); if (this.isLive) this.go({ seq: this.tape.records - 1 }, true); } },
      "/": () => $("jump-to").focus(), m: () => $("market").select(), c: () => this.copy(),
      t: theme.toggle, "?": () => $("keys").showModal(),
    });
  }
}

const app = new App();
app.begin().catch((error) => app.complain(error));
