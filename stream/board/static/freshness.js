// How old the data is, and whether it can be trusted: the first thing on the page.

import { NO_VALUE, age, ago, clock, duration } from "./format.js";

const NAMES = {
  live: "Live", late: "Late", recovering: "Recovering", incomplete: "Incomplete", absent: "No data",
  starting: "Starting", connecting: "Connecting", lost: "No connection",
};
// The worker sends an answer every second.
const SILENCE_MS = 5000;

export class Freshness {
  constructor() {
    this.element = document.getElementById("freshness");
    this.answer = null;
    this.heard = performance.now();
    setInterval(() => this.#show(), 1000);
  }

  hear(answer) {
    this.answer = answer;
    this.heard = performance.now();
    this.#show();
  }

  #show() {
    const silence = performance.now() - this.heard;
    const lost = silence > SILENCE_MS;
    const { state, reason } = lost ? { state: "lost", reason: lostReason(silence, this.answer) } : this.#data();
    this.#announce(state, reason);
    put("reason", reason);
    const known = this.answer?.data.age ?? null;
    put("age", known === null ? NO_VALUE : age(known + silence / 1000));
    if (this.answer) this.#showTimes(silence);
  }

  #data() {
    return this.answer?.data ?? { state: "connecting", reason: "Asking the worker for its numbers." };
  }

  /** Screen readers hear of a new state once, not of every second that passes. */
  #announce(state, reason) {
    if (this.element.dataset.state === state) return;
    this.element.dataset.state = state;
    document.body.dataset.state = state;
    put("state", NAMES[state]);
    put("announcement", `${NAMES[state]}. ${reason}`);
    document.title = state === "live" ? "deskpulse" : `${NAMES[state]} · deskpulse`;
  }

  #showTimes(silence) {
    const { time, data } = this.answer;
    const now = new Date(time);
    const ends = [data.window_end, data.known_until].filter(Boolean).map((moment) => new Date(moment));
    const end = ends.length ? new Date(Math.min(...ends)) : null;
    put("as-of", end ? `as of ${clock(end, now)}` : "");
    for (const [topic, newest] of Object.entries(data.newest)) {
      put(`newest-${topic}`, newest ? ago(now - new Date(newest) + silence) : "none yet");
    }
  }
}

function lostReason(silence, answer) {
  const seconds = duration(silence / 1000).join(" ");
  return answer ? `No word from the worker for ${seconds}; trying again.` : "The worker does not answer; trying again.";
}

function put(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
}
