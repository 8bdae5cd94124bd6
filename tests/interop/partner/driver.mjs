// Clients of ts-mls, driven over JSON lines.
//
// A request is {"id": n, "do": verb, "client": name, ...}; its answer is {"id": n, "ok": {...}} or
// {"id": n, "error": text}. Bytes are hexadecimal. The only argument is the directory that has node_modules.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(join(process.argv[2], "package.json"));
const load = (name) => import(pathToFileURL(resolve(name)));
const mls = await load("ts-mls");
const { createGroupInfo } = await load("ts-mls/createCommit.js");
const { ratchetTreeEncoder } = await load("ts-mls/ratchetTree.js");
const tls = await load("ts-mls/codec/tlsEncoder.js");
const { decodeVarLenData, varLenDataEncoder } = await load("ts-mls/codec/variableLength.js");
const { p256, p384, p521 } = await load("@noble/curves/nist.js");

const LIFETIME_S = 28n * 24n * 3600n;
const CLOCK_SKEW_S = 3600n;

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

const suites = Object.entries(mls.ciphersuites);
const clients = new Map();

function suiteName(code) {
  const found = suites.find(([, number]) => number === code);
  if (found === undefined) throw new Error(`ts-mls has no suite ${code}`);
  return found[0];
}

function decode(text, wireformat) {
  const decoded = mls.decodeMlsMessage(unhex(text), 0);
  if (decoded === undefined) throw new Error("not an MLSMessage");
  const [message, read] = decoded;
  if (read !== text.length / 2) throw new Error("bytes after the message");
  if (wireformat !== undefined && message.wireformat !== wireformat)
    throw new Error(`expected ${wireformat}, got ${message.wireformat}`);
  return message;
}

const encode = (wireformat, part, value) =>
  hex(mls.encodeMlsMessage({ version: "mls10", wireformat, [part]: value }));

function lifetime() {
  const now = BigInt(Math.floor(Date.now() / 1000));
  return { notBefore: now - CLOCK_SKEW_S, notAfter: now + LIFETIME_S };
}

function proposalsOf(client, { add = [], remove = [], psk = [], extensions }) {
  const list = (extensions ?? []).map(([extensionType, data]) => ({
    extensionType,
    extensionData: unhex(data),
  }));
  const replaced = {
    proposalType: "group_context_extensions",
    groupContextExtensions: { extensions: list },
  };
  return [
    ...add.map((text) => ({
      proposalType: "add",
      add: { keyPackage: decode(text, "mls_key_package").keyPackage },
    })),
    ...remove.map((removed) => ({ proposalType: "remove", remove: { removed } })),
    ...psk.map((id) => ({
      proposalType: "psk",
      psk: {
        preSharedKeyId: {
          psktype: "external",
          pskId: unhex(id),
          pskNonce: client.suite.rng.randomBytes(client.suite.kdf.size),
        },
      },
    })),
    ...(extensions ? [replaced] : []),
  ];
}

const pskIndex = (client) => mls.makePskIndex(client.state, client.psks);

// ts-mls compresses the points of its public keys, RFC 9420 does not (README.md, fault 1).
async function signatureKeys({ name, signature }) {
  const keys = await signature.keygen();
  const curve = { P256: p256, P384: p384, P521: p521 }[name.split("_").at(-1)];
  return curve ? { ...keys, publicKey: curve.getPublicKey(keys.signKey, false) } : keys;
}

async function packageOf(client) {
  const credential = { credentialType: "basic", identity: new TextEncoder().encode(client.identity) };
  return mls.generateKeyPackageWithKey(
    credential,
    mls.defaultCapabilities(),
    lifetime(),
    [],
    client.signature,
    client.suite,
  );
}

function readingExternalPub(suite, { extensions }) {
  const { extensionData } = extensions.find((each) => each.extensionType === "external_pub");
  const [key] = decodeVarLenData(extensionData, 0);
  const { importPublicKey } = suite.hpke;
  const hpke = {
    ...suite.hpke,
    importPublicKey: (given) => importPublicKey(given === extensionData ? key : given),
  };
  return { ...suite, hpke };
}

const verbs = {
  async begin({ client: name, suite, as_is, identity }) {
    const chosen = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(suiteName(suite)));
    const signature = await (as_is ? chosen.signature.keygen() : signatureKeys(chosen));
    clients.set(name, { identity, suite: chosen, signature, as_is, psks: {} });
    return {};
  },

  async psk(client, { psk_id, value }) {
    client.psks[base64(unhex(psk_id))] = unhex(value);
    return {};
  },

  async key_package(client) {
    client.package = await packageOf(client);
    return { message: encode("mls_key_package", "keyPackage", client.package.publicPackage) };
  },

  async create(client, { group_id }) {
    const { publicPackage, privatePackage } = await packageOf(client);
    client.state = await mls.createGroup(
      unhex(group_id),
      publicPackage,
      privatePackage,
      [],
      client.suite,
    );
    return {};
  },

  async join(client, { welcome, old }) {
    const { publicPackage, privatePackage } = client.package;
    const continued = clients.get(old)?.state;
    client.state = await mls.joinGroup(
      decode(welcome, "mls_welcome").welcome,
      publicPackage,
      privatePackage,
      mls.makePskIndex(continued, client.psks),
      client.suite,
      undefined,
      continued,
    );
    return {};
  },

  async reinit(client, { group_id, suite }) {
    const made = await mls.reinitGroup(
      client.state,
      unhex(group_id),
      "mls10",
      suiteName(suite),
      [],
      client.suite,
    );
    client.pending = made.newState;
    return { commit: hex(mls.encodeMlsMessage(made.commit)) };
  },

  async found(client, { kind, old, group_id, packages }) {
    const { publicPackage, privatePackage } = await packageOf(client);
    const own = [clients.get(old).state, publicPackage, privatePackage];
    const others = packages.map((text) => decode(text, "mls_key_package").keyPackage);
    const id = unhex(group_id);
    const made =
      kind === "branch"
        ? await mls.branchGroup(...own, others, id, client.suite)
        : await mls.reinitCreateNewGroup(...own, others, id, client.suite.name, []);
    client.state = made.newState;
    return {
      welcome: encode("mls_welcome", "welcome", made.welcome),
      tree: hex(tls.encode(ratchetTreeEncoder)(client.state.ratchetTree)),
    };
  },

  // ts-mls writes and reads ExternalPub without the length of its key (README.md, fault 3).
  async group_info(client) {
    if (client.as_is) {
      const { state, suite } = client;
      const info = await mls.createGroupInfoWithExternalPubAndRatchetTree(state, [], suite);
      return { message: encode("mls_group_info", "groupInfo", info) };
    }
    const { groupContext, confirmationTag, ratchetTree, keySchedule } = client.state;
    const { hpke } = client.suite;
    const { publicKey } = await hpke.deriveKeyPair(keySchedule.externalSecret);
    const key = tls.encode(varLenDataEncoder)(await hpke.exportPublicKey(publicKey));
    const tree = tls.encode(ratchetTreeEncoder)(ratchetTree);
    const extensions = [
      { extensionType: "external_pub", extensionData: key },
      { extensionType: "ratchet_tree", extensionData: tree },
    ];
    const info = await createGroupInfo(
      groupContext,
      confirmationTag,
      client.state,
      extensions,
      client.suite,
    );
    return { message: encode("mls_group_info", "groupInfo", info) };
  },

  async external_join(client, { group_info, resync = false }) {
    const { groupInfo } = decode(group_info, "mls_group_info");
    const made = await packageOf(client);
    const { publicMessage, newState } = await mls.joinGroupExternal(
      groupInfo,
      made.publicPackage,
      made.privatePackage,
      resync,
      client.as_is ? client.suite : readingExternalPub(client.suite, groupInfo),
    );
    client.pending = newState;
    return { commit: encode("mls_public_message", "publicMessage", publicMessage) };
  },

  async propose(client, request) {
    const [proposal] = proposalsOf(client, request);
    const made = await mls.createProposal(
      client.state,
      request.in_clear ?? false,
      proposal,
      client.suite,
    );
    client.state = made.newState;
    return { message: hex(mls.encodeMlsMessage(made.message)) };
  },

  async commit(client, request) {
    const made = await mls.createCommit(
      { state: client.state, cipherSuite: client.suite, pskIndex: pskIndex(client) },
      {
        wireAsPublicMessage: request.in_clear ?? false,
        extraProposals: proposalsOf(client, request),
        ratchetTreeExtension: true,
      },
    );
    client.pending = made.newState;
    const welcome = made.welcome && encode("mls_welcome", "welcome", made.welcome);
    return { commit: hex(mls.encodeMlsMessage(made.commit)), welcome: welcome ?? null };
  },

  async merge(client) {
    if (client.pending === undefined) throw new Error("nothing to merge");
    client.state = client.pending;
    client.pending = undefined;
    return {};
  },

  async process(client, { message }) {
    const decoded = decode(message);
    const process = {
      mls_private_message: () =>
        mls.processPrivateMessage(
          client.state,
          decoded.privateMessage,
          pskIndex(client),
          client.suite,
        ),
      mls_public_message: () =>
        mls.processPublicMessage(
          client.state,
          decoded.publicMessage,
          pskIndex(client),
          client.suite,
        ),
    }[decoded.wireformat];
    if (process === undefined) throw new Error(`not within a group: ${decoded.wireformat}`);
    const result = await process();
    client.state = result.newState;
    client.pending = undefined;
    return { data: result.message === undefined ? null : hex(result.message) };
  },

  async protect(client, { data, authenticated_data = "" }) {
    const made = await mls.createApplicationMessage(
      client.state,
      unhex(data),
      client.suite,
      unhex(authenticated_data),
    );
    client.state = made.newState;
    return { message: encode("mls_private_message", "privateMessage", made.privateMessage) };
  },

  async state(client, { label, context, size }) {
    const { groupContext, keySchedule, privatePath, groupActiveState } = client.state;
    const exported = await mls.mlsExporter(
      keySchedule.exporterSecret,
      label,
      unhex(context),
      size,
      client.suite,
    );
    return {
      epoch: Number(groupContext.epoch),
      authenticator: hex(keySchedule.epochAuthenticator),
      tree_hash: hex(groupContext.treeHash),
      exported: hex(exported),
      leaf: privatePath.leafIndex,
      member: groupActiveState.kind === "active",
    };
  },
};

async function answer(line) {
  const request = JSON.parse(line);
  try {
    const verb = verbs[request.do];
    if (verb === undefined) throw new Error(`unknown verb ${request.do}`);
    const subject = request.do === "begin" ? request : clients.get(request.client);
    if (subject === undefined) throw new Error(`no client ${request.client}`);
    return { id: request.id, ok: await verb(subject, request) };
  } catch (error) {
    console.error(error);
    return { id: request.id, error: `${error.name}: ${error.message}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(line)) + "\n");
}
