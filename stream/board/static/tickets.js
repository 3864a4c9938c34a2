// The tickets behind a deadline figure, in a dialog.

import { clock, duration } from "./format.js";

const dialog = document.getElementById("tickets-dialog");
const note = document.getElementById("dialog-note");
const rows = document.getElementById("dialog-rows");

export async function showTickets(title, within, filter) {
  document.getElementById("dialog-title").textContent = title;
  note.textContent = "Asking the workers.";
  rows.replaceChildren();
  dialog.showModal();
  const query = new URLSearchParams({ ...filter, within });
  try {
    const response = await fetch(`api/overdue?${query}`);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    note.textContent = summary(answer);
    rows.replaceChildren(...answer.tickets.map(row));
  } catch (error) {
    note.textContent = `The tickets cannot be shown: ${error.message}.`;
  }
}

function summary({ configured, total, tickets, complete, missing_partitions: missing }) {
  if (!configured) return "No SLA configured.";
  const count = total > tickets.length ? `The first ${tickets.length} of ${total} tickets.` : `${total} tickets.`;
  return complete ? count : `${count} Not complete: partitions ${missing.join(", ")} do not answer.`;
}

function row({ id, clock: name, deadline, confirmed, policy, team, agent }) {
  const link = document.createElement("a");
  link.href = `api/tickets/${encodeURIComponent(id)}`;
  link.textContent = id;
  const due = `${deadlineText(new Date(deadline))}${confirmed ? "" : ", unconfirmed"}`;
  const made = document.createElement("tr");
  for (const content of [link, name, due, policy, team, agent]) {
    const cell = document.createElement("td");
    cell.append(content ?? "");
    made.append(cell);
  }
  return made;
}

function deadlineText(deadline) {
  const seconds = (deadline - Date.now()) / 1000;
  const distance = duration(Math.abs(seconds)).join(" ");
  return `${clock(deadline)} (${seconds < 0 ? `${distance} over` : `in ${distance}`})`;
}
