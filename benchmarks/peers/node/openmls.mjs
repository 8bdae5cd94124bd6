// openmls-wasm: OpenMLS as WebAssembly. Its interface can make groups, add one member at a time, join, and send;
// it drops the proposal that goes with such a commit when it receives it, so other members cannot follow.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROUND, Timings, clock, cpu, loadFile, pathOf, serve, version } from "./service.mjs";

const home = pathOf("openmls-wasm");
const openmls = await loadFile(join(home, "openmls_wasm_bg.js"));
const code = readFileSync(join(home, "openmls_wasm_bg.wasm"));
const { instance } = await WebAssembly.instantiate(code, { "./openmls_wasm_bg.js": openmls });
openmls.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const PLAINTEXT = Uint8Array.from({ length: 256 }, (_, index) => index);
const MEMBERS = 1000;

class Client {
  constructor(name) {
    this.provider = new openmls.Provider();
    this.identity = new openmls.Identity(this.provider, name);
  }

  create(name) {
    this.group = openmls.Group.create_new(this.provider, this.identity, name);
  }

  add(other) {
    const invited = other.identity.key_package(other.provider);
    return this.group.propose_and_commit_add(this.provider, this.identity, invited);
  }

  merge() {
    this.group.merge_pending_commit(this.provider);
  }

  join({ welcome }, tree) {
    this.group = openmls.Group.join(this.provider, welcome, tree);
  }

  protect(data) {
    return this.group.create_message(this.provider, this.identity, data);
  }

  process(message) {
    return this.group.process_message(this.provider, message);
  }
}

/** Return two members of a group of so many. */
function group(members) {
  const first = new Client("member 0");
  first.create("benchmark");
  let last = first;
  for (let number = 1; number < members; number++) {
    last = new Client(`member ${number}`);
    const added = first.add(last);
    first.merge();
    if (number === members - 1) last.join(added, first.group.export_ratchet_tree());
  }
  return [first, last];
}

let pair, large;

async function messages(size) {
  pair ??= group(2);
  const [sender, receiver] = pair;
  const timings = new Timings();
  for (let round = 0; round < Math.max(1, Math.floor(size / ROUND)); round++) {
    const sent = [];
    const [protect] = await cpu(() => {
      for (let index = 0; index < ROUND; index++) sent.push(sender.protect(PLAINTEXT));
    });
    const [receive] = await cpu(() => {
      for (const message of sent) {
        if (receiver.process(message).length !== PLAINTEXT.length) throw new Error("not received");
      }
    });
    timings.add("protect", protect / ROUND);
    timings.add("receive", receive / ROUND);
    timings.add("bytes", sent[0].length);
  }
  return timings.medians();
}

async function adds(size) {
  large ??= group(MEMBERS);
  const [committer] = large;
  const timings = new Timings();
  for (let index = 0; index < size; index++) {
    const newcomer = new Client("newcomer");
    const [create, added] = await cpu(() => committer.add(newcomer));
    committer.merge();
    timings.add("create", create);
    timings.add("commit_bytes", added.commit.length + added.proposal.length);
    timings.add("welcome_bytes", added.welcome.length);
  }
  return timings.medians();
}

async function joins(size) {
  large ??= group(MEMBERS - 1);
  const [committer] = large;
  const timings = new Timings();
  for (let index = 0; index < size; index++) {
    const newcomer = new Client("newcomer");
    const added = committer.add(newcomer);
    committer.merge();
    const tree = committer.group.export_ratchet_tree();
    const [join] = await clock(() => newcomer.join(added, tree));
    timings.add("join_bare_ms", join / 1000);
    timings.add("welcome_bytes", added.welcome.length);
  }
  return timings.medians();
}

const works = { mls_messages: messages, mls_add: adds, mls_join: joins };

await serve({
  version: () => ({ version: `openmls-wasm ${version("openmls-wasm")}` }),
  measure: ({ work, size }) => works[work]?.(size) ?? {},
});
