// The worker's side of JSON lines, and what the peers measure with.
//
// A request is {"id": n, "do": verb, ...}; its answer is {"id": n, "ok": {...}} or {"id": n, "error": text}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packages = process.argv[2];
const { resolve } = createRequire(join(packages, "package.json"));

/** Messages of one sender before it is the receiver's turn, as on our side. */
export const ROUND = 50;

export const pathOf = (name) => join(packages, "node_modules", name);

export const load = (name) => import(pathToFileURL(resolve(name)));

export const loadFile = (path) => import(pathToFileURL(path));

export const version = (name) =>
  `${JSON.parse(readFileSync(join(pathOf(name), "package.json"))).version} on node ${process.versions.node}`;

export function median(figures) {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Figures of many rounds, by name. */
export class Timings {
  #figures = new Map();

  add(name, figure) {
    this.#figures.set(name, [...(this.#figures.get(name) ?? []), figure]);
  }

  medians() {
    return Object.fromEntries([...this.#figures].map(([name, each]) => [name, median(each)]));
  }
}

/** CPU time of all threads of this process for one call, in microseconds, and its result. */
export async function cpu(work) {
  const before = process.cpuUsage();
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  return [user + system, value];
}

/** How long one call takes by the clock, in microseconds, and its result. */
export async function clock(work) {
  const before = process.hrtime.bigint();
  const value = await work();
  return [Number(process.hrtime.bigint() - before) / 1000, value];
}

/** Answer requests with the verb of that name until input ends. */
export async function serve(verbs) {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const answer = { id: request.id };
    try {
      answer.ok = await verbs[request.do](request);
    } catch (error) {
      console.error(error);
      answer.error = String(error);
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}
