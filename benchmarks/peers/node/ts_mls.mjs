// ts-mls: a TypeScript implementation. Its members join the very group of ours, by our Welcome.

import { ROUND, Timings, clock, cpu, load, serve, version } from "./service.mjs";

const mls = await load("ts-mls");

const PLAINTEXT = Uint8Array.from({ length: 256 }, (_, index) => index);
const SUITE = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
const LIFETIME_S = 28n * 24n * 3600n;

const suite = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(SUITE));
const clients = new Map();

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const encode = (message) => mls.encodeMlsMessage({ version: "mls10", ...message });
const decode = (bytes) => mls.decodeMlsMessage(bytes, 0)[0];

async function keyPackage(name) {
  const now = BigInt(Math.floor(Date.now() / 1000));
  const credential = { credentialType: "basic", identity: new TextEncoder().encode(name) };
  const lifetime = { notBefore: now - 3600n, notAfter: now + LIFETIME_S };
  return mls.generateKeyPackage(credential, mls.defaultCapabilities(), lifetime, [], suite);
}

async function join(message, { publicPackage, privatePackage }) {
  const { welcome } = decode(message);
  return mls.joinGroup(welcome, publicPackage, privatePackage, mls.emptyPskIndex, suite);
}

async function protect(client) {
  const made = await mls.createApplicationMessage(client.state, PLAINTEXT, suite);
  client.state = made.newState;
  return encode({ wireformat: "mls_private_message", privateMessage: made.privateMessage });
}

const receive = (client, message) =>
  mls.processPrivateMessage(client.state, decode(message).privateMessage, mls.emptyPskIndex, suite);

async function commit(client, extraProposals) {
  const context = { state: client.state, cipherSuite: suite, pskIndex: mls.emptyPskIndex };
  const made = await mls.createCommit(context, { extraProposals, ratchetTreeExtension: true });
  const welcome = made.welcome && { wireformat: "mls_welcome", welcome: made.welcome };
  return {
    state: made.newState,
    commit: mls.encodeMlsMessage(made.commit),
    welcome: welcome && encode(welcome),
  };
}

async function messages(size) {
  const [sender, receiver] = clients.values();
  const timings = new Timings();
  for (let round = 0; round < Math.max(1, Math.floor(size / ROUND)); round++) {
    const sent = [];
    const [protecting] = await cpu(async () => {
      for (let index = 0; index < ROUND; index++) sent.push(await protect(sender));
    });
    const [receiving] = await cpu(async () => {
      for (const message of sent) {
        const { message: data, newState } = await receive(receiver, message);
        if (data.length !== PLAINTEXT.length) throw new Error("not received");
        receiver.state = newState;
      }
    });
    timings.add("protect", protecting / ROUND);
    timings.add("receive", receiving / ROUND);
    timings.add("bytes", sent[0].length);
  }
  return timings.medians();
}

async function commits(size, proposals) {
  const [committer, receiver] = clients.values();
  const timings = new Timings();
  for (let index = 0; index < size; index++) {
    const proposed = await proposals();
    const [create, made] = await cpu(() => commit(committer, proposed));
    const [process, followed] = await cpu(() => receive(receiver, made.commit));
    committer.state = made.state;
    receiver.state = followed.newState;
    timings.add("create", create);
    timings.add("process", process);
    timings.add("process_ms", process / 1000);
    timings.add("bytes", made.commit.length);
    timings.add("commit_bytes", made.commit.length);
    if (made.welcome) timings.add("welcome_bytes", made.welcome.length);
  }
  return timings.medians();
}

async function adds(size) {
  let number = 0;
  return commits(size, async () => {
    const { publicPackage } = await keyPackage(`newcomer ${number++}`);
    return [{ proposalType: "add", add: { keyPackage: publicPackage } }];
  });
}

const works = {
  mls_messages: messages,
  mls_add: adds,
  mls_path: (size) => commits(size, async () => []),
};

await serve({
  version: () => ({ version: `ts-mls ${version("ts-mls")}` }),

  async key_package({ client }) {
    const made = await keyPackage(client);
    clients.set(client, { made });
    const content = { wireformat: "mls_key_package", keyPackage: made.publicPackage };
    return { message: hex(encode(content)) };
  },

  async join({ client, welcome }) {
    const invited = clients.get(client);
    const message = unhex(welcome);
    const [us, state] = await clock(() => join(message, invited.made));
    invited.state = state;
    return { join_ms: us / 1000, welcome_bytes: message.length };
  },

  measure: ({ work, size }) => works[work]?.(size) ?? {},
});
